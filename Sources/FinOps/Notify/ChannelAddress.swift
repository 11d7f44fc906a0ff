internal import Foundation

/// What a channel sends to, as far as it may be seen: the path of a webhook and the user of a DSN are credentials.
package struct ChannelAddress: Hashable, Sendable, CustomStringConvertible {
    /// What an address is for, which decides what it must and must not have.
    package enum Kind: Sendable {
        /// A URL whose path is the credential.
        case webhook
        /// What stands before the paths of an interface.
        case interface
        /// `https://KEY@host/PROJECT`, as Sentry and its relatives give it.
        case sentryDSN
        /// `smtp://` (STARTTLS) or `smtps://` (TLS from the start).
        case mailServer
    }

    /// Scheme, host and port; a mail server's port also where it was not given.
    package let text: String

    /// - Throws: `MalformedChannelAddress`. Its text repeats nothing of the address.
    package init(_ text: String, as kind: Kind) throws(MalformedChannelAddress) {
        func malformed(_ reason: String) -> MalformedChannelAddress { .init(kind: kind, reason: reason) }
        if let place = text.unicodeScalars.enumerated().first(where: { !(0x21...0x7E).contains($0.element.value) }) {
            throw malformed("has a character at place \(place.offset + 1) that no URL has")
        }
        guard let parts = URLComponents(string: text) else { throw malformed("is not a URL") }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard kind.schemes.contains(scheme) else {
            throw malformed("does not begin with " + kind.schemes.map { "\($0)://" }.joined(separator: " or "))
        }
        guard let given = parts.host?.lowercased(), !given.isEmpty else { throw malformed("names no host") }
        // An IPv6 address needs its brackets, which not every Foundation leaves on.
        let host = given.contains(":") && !given.hasPrefix("[") ? "[\(given)]" : given
        if scheme == "http", !Self.isThisMachine(host) {
            throw malformed("would be sent unencrypted; use https:// (http:// is for this machine only)")
        }
        if let port = parts.port, !(1...65_535).contains(port) { throw malformed("has no valid port") }
        if let reason = kind.complaint(parts) { throw malformed(reason) }
        let port = parts.port ?? kind.port(scheme)
        self.text = "\(scheme)://\(host)" + (port.map { ":\($0)" } ?? "")
    }

    package var description: String { text }

    private static func isThisMachine(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension ChannelAddress.Kind {
    fileprivate var schemes: [String] {
        switch self {
        case .webhook, .interface, .sentryDSN: ["https", "http"]
        case .mailServer: ["smtp", "smtps"]
        }
    }

    fileprivate func port(_ scheme: String) -> Int? {
        guard self == .mailServer else { return nil }
        return scheme == "smtps" ? 465 : 587
    }

    /// How one looks, for messages.
    fileprivate var example: String {
        switch self {
        case .webhook: "https://hooks.slack.com/services/…"
        case .interface: "https://api.resend.com"
        case .sentryDSN: "https://KEY@sentry.example.com/42"
        case .mailServer: "smtp://mail.example.com:587 or smtps://mail.example.com:465"
        }
    }

    /// - Returns: what is wrong with the parts besides scheme, host and port.
    fileprivate func complaint(_ parts: URLComponents) -> String? {
        let path = parts.path.split(separator: "/")
        guard parts.fragment == nil else { return "has a part after #; leave it out" }
        guard self == .sentryDSN || parts.password == nil && parts.user == nil else {
            return self == .mailServer
                ? "holds a user or a password; give them with --user and --password-file"
                : "holds a user or a password; leave them out"
        }
        guard self == .webhook || parts.query == nil else { return "has a part after ?; leave it out" }
        switch self {
        case .webhook: return path.isEmpty ? "has no path, and a webhook's secret is its path" : nil
        case .interface: return nil
        case .sentryDSN:
            guard parts.user?.isEmpty == false else { return "has no key before an @" }
            return path.isEmpty ? "has no project at its end" : nil
        case .mailServer: return path.isEmpty ? nil : "has a path; leave it out"
        }
    }
}

/// Why a text is not an address to send to.
package struct MalformedChannelAddress: Error, Hashable, Sendable, CustomStringConvertible {
    fileprivate let kind: ChannelAddress.Kind
    /// Completes the sentence "it …".
    package let reason: String

    package var description: String { "it \(reason); write it like \(kind.example)" }
}
