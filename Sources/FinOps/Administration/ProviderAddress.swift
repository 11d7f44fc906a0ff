internal import Foundation

/// What stands before `/organization/…` or `/chat/completions` in a provider's addresses, as in the official client: an
/// empty path gets `/v1`.
package struct ProviderAddress: Hashable, Sendable, CustomStringConvertible {
    /// With its scheme and without a slash at the end; it holds no user, password or fragment, and a query only where one
    /// was allowed.
    package let text: String
    /// Whether what is sent there can be read on the way: neither TLS nor this machine.
    package let isExposed: Bool

    /// What counts where no address is given.
    package static let openAI = ProviderAddress(known: "https://api.openai.com/v1")

    private init(known text: String) {
        self.text = text
        isExposed = false
    }

    /// - Parameters:
    ///   - emptyPath: what an empty path becomes.
    ///   - mayHaveQuery: whether what stands behind a question mark is kept, such as Azure's `api-version=2024-10-21`.
    /// - Throws: `MalformedAddress`. Its text does not repeat the address, which may hold a password.
    package init(_ text: String, emptyPath: String = "v1", mayHaveQuery: Bool = false) throws(MalformedAddress) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let parts = URLComponents(string: text) else {
            throw MalformedAddress(reason: "is not a URL")
        }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard ["http", "https"].contains(scheme) else {
            throw MalformedAddress(reason: "does not begin with https:// or http://")
        }
        guard let given = parts.host?.lowercased(), !given.isEmpty else {
            throw MalformedAddress(reason: "names no host")
        }
        // An IPv6 address needs its brackets, which not every Foundation leaves on.
        let host = given.contains(":") && !given.hasPrefix("[") ? "[\(given)]" : given
        guard parts.user == nil, parts.password == nil else {
            throw MalformedAddress(reason: "holds a user or a password; the key goes into --key-file")
        }
        guard parts.query == nil || mayHaveQuery, parts.fragment == nil else {
            throw MalformedAddress(reason: "has a part after ? or #; leave it out")
        }
        if let port = parts.port, !(1...65_535).contains(port) { throw MalformedAddress(reason: "has no valid port") }
        let port = parts.port.map { ":\($0)" } ?? ""
        let path = parts.percentEncodedPath.split(separator: "/").joined(separator: "/")
        let query = parts.percentEncodedQuery.map { "?\($0)" } ?? ""
        self.text = "\(scheme)://\(host)\(port)/" + (path.isEmpty ? emptyPath : path) + query
        isExposed = scheme == "http" && !Self.isThisMachine(host)
    }

    package var description: String { text }

    /// A name that only begins like an address, such as `127.0.0.1.example.com`, is anybody's.
    private static func isThisMachine(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in UInt8(part) != nil && part.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    }
}

/// Why a text is not a provider's address.
package struct MalformedAddress: Error, Hashable, Sendable, CustomStringConvertible {
    /// Completes the sentence "it …".
    package let reason: String

    package var description: String { "it \(reason); write it like https://api.openai.com/v1" }
}
