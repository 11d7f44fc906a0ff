import Glibc

/// A place to listen, as an IP address and a port.
package struct NumericAddress: Hashable, Sendable, CustomStringConvertible {
    /// IPv4 or IPv6, without brackets.
    package let host: String
    /// 0: the system chooses.
    package let port: Int

    static let expectation =
        "must be an IP address and a port such as 127.0.0.1:8080 or [::1]:8080 (0: the system chooses)"

    /// nil for anything but `IPv4:PORT` and `[IPv6]:PORT`.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        var bytes = in6_addr()
        guard inet_pton(isBracketed ? AF_INET6 : AF_INET, String(host), &bytes) == 1 else { return nil }
        self.host = String(host)
        self.port = Int(port)
    }

    /// Whether only this machine reaches it.
    package var isLoopback: Bool { host == "::1" || host.hasPrefix("127.") }

    /// As it stands in a URL.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Sizes as people write them: `64KiB`, `32MiB`, `1GiB`.
enum ByteText {
    /// nil for what is no size.
    static func bytes(_ text: String) -> Int? {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        guard let unit = units.first(where: { text.hasSuffix($0.0) }), let count = Int(text.dropLast(3)), count >= 0,
            count < 1 << 30
        else { return nil }
        return count << unit.1
    }
}

/// Amounts of money as exact decimals.
enum NanoAmount {
    /// Billionths; nil for what is no amount, or more than a million.
    static func nanos(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }),
            let whole = Int64(parts[0]), whole <= 1_000_000
        else { return nil }
        guard parts.count == 2 else { return whole * 1_000_000_000 }
        guard (1...9).contains(parts[1].utf8.count),
            let part = Int64(parts[1] + String(repeating: "0", count: 9 - parts[1].utf8.count))
        else { return nil }
        return whole * 1_000_000_000 + part
    }
}

/// A share such as `1%` or `0.5%`.
enum PercentText {
    /// Billionths of a per cent; nil for what is no share of a whole.
    static func nanos(_ text: String) -> Int64? {
        NanoAmount.nanos(text.hasSuffix("%") ? String(text.dropLast()) : text)
            .flatMap { $0 <= 100_000_000_000 ? $0 : nil }
    }
}
