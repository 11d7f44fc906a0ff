import FinOps

/// The console's page of a scope.
struct ConsolePage {
    private let scope: CostScope

    init(_ scope: CostScope) { self.scope = scope }

    private var path: String {
        switch scope {
        case .project(let name): "/projects/" + Self.encoded(name)
        case .team(let name): "/teams/" + Self.encoded(name)
        case .organisation: "/organisation"
        }
    }

    /// - Returns: nil where the console's address is none that a reader should follow, and for a name that nothing can have.
    func url(_ settings: NoticeSettings) -> String? {
        let base = settings.consoleURL
        guard scope.name.utf8.count <= GivenName.bytesLimit, base.utf8.count <= 200,
            base.hasPrefix("https://") || base.hasPrefix("http://"),
            base.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Self.unsafe.contains($0) })
        else { return nil }
        return base + path
    }

    /// What would end the link in one of the channels.
    private static let unsafe = Set("<>|\"'`\\".utf8)

    /// Percent-encoded but for what RFC 3986 leaves to everybody; a slash in a name is part of it.
    private static func encoded(_ name: String) -> String {
        var out = ""
        for byte in name.utf8 {
            if byte.isUnreserved {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
