/// The host of a URL, as far as routing needs it.
package struct URLHost: Hashable, Sendable {
    package let name: String

    /// - Throws: `TransferFailure` for anything but one of the schemes with a host, and for credentials inside the URL,
    ///   which would end up in logs.
    package init(_ url: String, schemes: [String] = ["https://", "http://"]) throws(TransferFailure) {
        guard let scheme = schemes.first(where: { url.lowercased().hasPrefix($0) }) else {
            throw TransferFailure(
                .invalidRequest, message: "an address begins with \(schemes.joined(separator: " or "))")
        }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else {
            throw TransferFailure(.invalidRequest, message: "an address must not carry a user or a password")
        }
        let host =
            authority.hasPrefix("[") ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
        guard !host.isEmpty else { throw TransferFailure(.invalidRequest, message: "the address has no host") }
        name = String(host)
    }

    /// Whether it names this machine, to which no proxy leads.
    package var isLoopback: Bool {
        name == "::1" || name.lowercased() == "localhost" || name.lowercased().hasSuffix(".localhost")
            || (name.hasPrefix("127.") && name.split(separator: ".").count == 4)
    }
}

extension Substring {
    /// Without spaces, tabs and line ends around it.
    var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
