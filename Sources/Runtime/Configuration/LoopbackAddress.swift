/// A place on this machine where HTTP may be spoken in the clear: nothing of it leaves the machine.
package struct LoopbackAddress: Hashable, Sendable, CustomStringConvertible {
    /// `127.0.0.1` or `::1`.
    package let host: String
    /// 0: the system chooses.
    package let port: Int

    static let expectation =
        "must be none, 127.0.0.1:PORT or [::1]:PORT (0: the system chooses); for others put a proxy that speaks TLS before it"

    /// Of this machine, whatever is passed.
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// nil for anything but `127.0.0.1:PORT` and `[::1]:PORT`.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        switch text[..<colon] {
        case "127.0.0.1": self.init(host: "127.0.0.1", port: Int(port))
        case "[::1]": self.init(host: "::1", port: Int(port))
        default: return nil
        }
    }

    /// As it stands in a URL.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
