/// What the head of a part says (RFC 7578, 4.2). One closed grammar: what it does not have, two servers could read differently.
struct FormPart {
    let name: String
    let isFile: Bool

    /// - Parameter head: lines with CRLF between them.
    /// - Returns: nil for anything else than headers whose names are tokens, of them one `Content-Disposition`, that names the
    ///   field and perhaps a file, and no encoding that changes bytes.
    init?(head: ArraySlice<UInt8>) {
        var disposition: ArraySlice<UInt8>?
        for line in Self.lines(head) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[..<colon].allSatisfy(Self.isToken), line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 })
            else { return nil }
            let value = line[(colon + 1)...]
            switch String(decoding: line[..<colon], as: UTF8.self).lowercased() {
            case "content-disposition":
                guard disposition == nil else { return nil }
                disposition = value
            case "content-transfer-encoding":
                guard ["7bit", "8bit", "binary"].contains(Self.plain(value)) else { return nil }
            case "content-type":
                let parts = Self.plain(value).split(separator: "charset", omittingEmptySubsequences: false)
                guard parts.dropFirst().allSatisfy({ $0 == "=utf-8" || $0 == "=us-ascii" }) else { return nil }
            default: break
            }
        }
        guard let disposition, let found = Self.parameters(disposition), let name = found["name"],
            let text = String(validating: name, as: UTF8.self)
        else { return nil }
        self.name = text
        isFile = found["filename"] != nil || found["filename*"] != nil
    }

    private static func lines(_ head: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = head.startIndex
        for at in head.indices where head[at] == 0x0A && at > start && head[at - 1] == 0x0D {
            lines.append(head[start..<at - 1])
            start = at + 1
        }
        return lines + [head[start...]]
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "-_.!#$%&'*+^`|~".utf8.contains(byte)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Without blanks and quotes, in lower case.
    private static func plain(_ value: ArraySlice<UInt8>) -> String {
        String(decoding: value.filter { !isBlank($0) && $0 != UInt8(ascii: "\"") }, as: UTF8.self).lowercased()
    }

    /// `form-data; name="…"; filename="…"; filename*=…`, the last two not always; .NET has no quotes where none are needed.
    private static func parameters(_ value: ArraySlice<UInt8>) -> [String: ArraySlice<UInt8>]? {
        var rest = value.drop(while: isBlank)
        guard String(decoding: rest.prefix(9), as: UTF8.self).lowercased() == "form-data" else { return nil }
        rest = rest.dropFirst(9).drop(while: isBlank)
        var found: [String: ArraySlice<UInt8>] = [:]
        while !rest.isEmpty {
            guard rest.first == UInt8(ascii: ";"), let equals = rest.firstIndex(of: UInt8(ascii: "=")) else {
                return nil
            }
            let name = String(decoding: rest[..<equals].dropFirst().drop(while: isBlank), as: UTF8.self)
            guard ["name", "filename", "filename*"].contains(name), found[name] == nil,
                let (said, behind) = said(rest[(equals + 1)...])
            else { return nil }
            // Of an escaped character some servers keep the backslash.
            if name == "name", said.contains(UInt8(ascii: "\\")) { return nil }
            found[name] = said
            rest = behind.drop(while: isBlank)
        }
        return found
    }

    /// In quotes, or a token.
    private static func said(_ rest: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>)? {
        let quote = UInt8(ascii: "\"")
        guard rest.first == quote else {
            let said = rest.prefix(while: isToken)
            return said.isEmpty ? nil : (said, rest[said.endIndex...])
        }
        guard let end = rest.dropFirst().firstIndex(of: quote) else { return nil }
        let said = rest[..<end].dropFirst()
        return said.last == UInt8(ascii: "\\") ? nil : (said, rest[(end + 1)...])
    }
}
