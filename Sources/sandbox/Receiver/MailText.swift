import Foundation

/// What a mail says: its headers, and the parts that people read. What is no mail still has a text.
struct MailText {
    /// In their order, unfolded, undecoded.
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var text: String?
    private(set) var html: String?

    init(_ bytes: [UInt8]) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
        let (headers, body) = Self.part(lines[...])
        self.headers = headers
        read(headers, body)
    }

    /// The last header of a name, with its encoded words decoded.
    func header(_ name: String) -> String? { Self.value(of: name, in: headers).map(Self.decodedWords) }

    private typealias Headers = [(name: String, value: String)]
    private typealias Lines = ArraySlice<ArraySlice<UInt8>>

    private static func value(of name: String, in headers: Headers) -> String? {
        headers.last { $0.name.lowercased() == name.lowercased() }?.value
    }

    private static func part(_ lines: Lines) -> (Headers, Lines) {
        let end = lines.firstIndex(where: \.isEmpty) ?? lines.endIndex
        var headers: Headers = []
        for line in lines[..<end] {
            let text = String(decoding: line, as: UTF8.self)
            if text.first == " " || text.first == "\t", let last = headers.indices.last {
                headers[last].value += " " + text.trimmingCharacters(in: .whitespaces)
            } else if let colon = text.firstIndex(of: ":") {
                let value = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                headers.append((String(text[..<colon]), value))
            }
        }
        return (headers, end < lines.endIndex ? lines[(end + 1)...] : [])
    }

    private mutating func read(_ headers: Headers, _ body: Lines) {
        let type = Self.value(of: "Content-Type", in: headers) ?? "text/plain"
        let kind = type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        if kind.hasPrefix("multipart/"), let boundary = Self.parameter("boundary", of: type) {
            for lines in Self.parts(body, boundary: boundary) {
                let (headers, body) = Self.part(lines)
                read(headers, body)
            }
            return
        }
        let encoding = Self.value(of: "Content-Transfer-Encoding", in: headers)?.lowercased() ?? "7bit"
        let decoded = String(decoding: Self.decoded(body, encoding), as: UTF8.self)
        if kind == "text/plain" { text = text ?? decoded }
        if kind == "text/html" { html = html ?? decoded }
    }

    private static func parts(_ body: Lines, boundary: String) -> [Lines] {
        let marks = body.indices.filter { String(decoding: body[$0], as: UTF8.self).hasPrefix("--" + boundary) }
        return zip(marks, marks.dropFirst()).map { body[($0 + 1)..<$1] }
    }

    private static func parameter(_ name: String, of type: String) -> String? {
        for field in type.split(separator: ";").dropFirst() {
            let sides = field.split(separator: "=", maxSplits: 1)
            if sides.count == 2, sides[0].trimmingCharacters(in: .whitespaces).lowercased() == name {
                return sides[1].trimmingCharacters(in: CharacterSet(charactersIn: " \""))
            }
        }
        return nil
    }

    private static func decoded(_ lines: Lines, _ encoding: String) -> [UInt8] {
        switch encoding {
        case "base64":
            return Data(base64Encoded: Data(lines.joined()), options: .ignoreUnknownCharacters).map { Array($0) } ?? []
        case "quoted-printable":
            var bytes: [UInt8] = []
            for (place, line) in lines.enumerated() {
                let isJoined = line.last == UInt8(ascii: "=")
                bytes += unquoted(isJoined ? line.dropLast() : line, space: nil)
                if !isJoined, place < lines.count - 1 { bytes.append(UInt8(ascii: "\n")) }
            }
            return bytes
        default: return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
        }
    }

    /// `=XX` is the byte XX. - Parameter space: what stands for a space.
    private static func unquoted(_ text: some Sequence<UInt8>, space: UInt8?) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "="), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == space ? UInt8(ascii: " ") : byte)
            }
        }
        return bytes
    }

    /// The encoded words of RFC 2047; blanks between two of them are not part of the text.
    static func decodedWords(_ text: String) -> String {
        var result = ""
        var bytes: [UInt8] = []
        var blanks = ""
        func flush() {
            result += String(decoding: bytes, as: UTF8.self)
            bytes = []
        }
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if let decoded = decodedWord(word) {
                // A character's bytes may be spread over two words.
                if bytes.isEmpty { result += blanks }
                bytes += decoded
            } else {
                flush()
                result += blanks + word
            }
            blanks = " "
        }
        flush()
        return result
    }

    private static func decodedWord(_ word: Substring) -> [UInt8]? {
        let parts = word.split(separator: "?", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "=", parts[4] == "=", ["utf-8", "us-ascii"].contains(parts[1].lowercased())
        else { return nil }
        return parts[2].uppercased() == "B"
            ? Data(base64Encoded: String(parts[3])).map { Array($0) }
            : unquoted(parts[3].utf8, space: UInt8(ascii: "_"))
    }
}
