package import FinOps

/// Where an OpenAI organisation answers, and how lists are written in its queries.
package struct OpenAIEndpoint: Hashable, Sendable {
    /// What is asked where a connection names no address.
    package static let standard = "https://api.openai.com/v1"

    /// How a list is written. The official SDK writes brackets, but they have been seen to be ignored silently.
    package enum ListStyle: String, Hashable, Sendable, CaseIterable {
        /// `group_by=project_id&group_by=model`
        case plain
        /// `group_by[]=project_id&group_by[]=model`
        case brackets
    }

    /// What stands before `/organization/…`, without a slash at its end.
    package let base: String
    /// From the configuration (`list_style`).
    package let listStyle: ListStyle

    /// - Parameter base: as in the official SDK, what stands before `/organization/…`; an empty path gets `/v1`.
    /// - Throws: `SourceFailure` (misconfigured) for anything but an http or https address without user, query or fragment.
    package init(base: String = Self.standard, listStyle: ListStyle = .plain) throws(SourceFailure) {
        guard let scheme = ["https://", "http://"].first(where: { base.hasPrefix($0) }) else {
            throw SourceFailure(
                .misconfigured, "the base address begins with https:// or http://, such as \(Self.standard)")
        }
        var rest = base.dropFirst(scheme.count)
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !rest.contains(where: { "@?#".contains($0) }) else {
            throw SourceFailure(.misconfigured, "the base address has a user, a query, a fragment or a space")
        }
        while rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.isEmpty, !rest.hasPrefix("/") else {
            throw SourceFailure(.misconfigured, "the base address has no host")
        }
        self.base = scheme + (rest.contains("/") ? rest : rest + "/v1")
        self.listStyle = listStyle
    }

    /// - Parameters:
    ///   - path: beginning with a slash.
    ///   - lists: names with several values, written in the list style.
    func url(_ path: String, _ values: [(String, String)], lists: [(String, [String])] = []) -> String {
        var pairs = values
        for (name, items) in lists {
            let written = listStyle == .plain ? name : name + "[]"
            pairs += items.map { (written, $0) }
        }
        let query = pairs.map { "\(Self.escaped($0))=\(Self.escaped($1))" }.joined(separator: "&")
        return base + path + (query.isEmpty ? "" : "?" + query)
    }

    static func escaped(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch Character(Unicode.Scalar(byte)) {
            case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~": out.append(Character(Unicode.Scalar(byte)))
            default: out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
