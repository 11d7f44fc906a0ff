/// The few fields of a `multipart/form-data` body that are looked at (RFC 7578). Read strictly: what two servers could
/// read differently is refused.
enum MultipartForm {
    private static let partLimit = 64
    private static let headerLimit = 2_048
    private static let valueLimit = 4_096

    private struct Part {
        let name: String
        let isFile: Bool
        let body: Range<Int>
    }

    static func facts(
        _ route: Route, contentType: String, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(MalformedRequest) -> RequestFacts {
        var facts = RequestFacts()
        var met: Set<String> = []
        var filed: Int64 = 0
        for part in try parts(bytes, boundary: try boundary(contentType)) {
            if part.isFile {
                filed += Int64(part.body.count)
                if route.reading == .images {
                    facts.input.images += 1
                } else {
                    facts.input.audioBytes += Int64(part.body.count)
                }
                continue
            }
            guard ["model", "stream", "n", "user"].contains(part.name) else { continue }
            guard met.insert(part.name).inserted else {
                throw malformed("the field \(part.name) is repeated", part.name)
            }
            guard part.body.count <= valueLimit, let text = String(validating: bytes[part.body], as: UTF8.self) else {
                throw malformed("the field \(part.name) is not text of a bounded length", part.name)
            }
            try take(text, of: part.name, into: &facts)
        }
        facts.input.textBytes = Int64(bytes.count) - filed
        return facts
    }

    private static func take(
        _ text: String, of name: String, into facts: inout RequestFacts
    ) throws(MalformedRequest) {
        switch name {
        case "model": facts.model = try RequestFacts.checkedModel(text)
        case "user": facts.user = text
        case "stream":
            guard
                let streams = ["true": true, "false": false, "True": true, "False": false, "1": true, "0": false][text]
            else { throw malformed("stream must be true or false", name) }
            facts.streams = streams
        default:
            guard let count = Int64(text), (1...1_000).contains(count) else {
                throw malformed("n must be a whole number from 1 to 1000", name)
            }
            facts.choices = count
        }
    }

    private static func malformed(_ reason: String, _ member: String? = nil) -> MalformedRequest {
        MalformedRequest(reason: reason, member: member)
    }

    /// RFC 2046: 1 to 70 characters, quoted or not.
    private static func boundary(_ contentType: String) throws(MalformedRequest) -> [UInt8] {
        let values = contentType.split(separator: ";").dropFirst().compactMap { parameter -> Substring? in
            let pair = parameter.drop { $0 == " " || $0 == "\t" }
            guard pair.prefix(9).lowercased() == "boundary=" else { return nil }
            return pair.dropFirst(9)
        }
        guard values.count == 1, var value = values.first else {
            throw malformed("the Content-Type of a form must name one boundary")
        }
        if value.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
        guard (1...70).contains(value.utf8.count), value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 })
        else {
            throw malformed("the boundary of a form must be 1 to 70 visible characters")
        }
        return Array(value.utf8)
    }

    private static func parts(
        _ bytes: UnsafeBufferPointer<UInt8>, boundary: [UInt8]
    ) throws(MalformedRequest) -> [Part] {
        let line = Array("--".utf8) + boundary
        guard bytes.starts(with: line) else { throw malformed("the form does not begin with its boundary") }
        var at = line.count
        var parts: [Part] = []
        while true {
            if bytes[at...].starts(with: [0x2D, 0x2D]) { return parts }
            guard bytes[at...].starts(with: [0x0D, 0x0A]), parts.count < partLimit else {
                throw malformed("a boundary of the form is not followed by a part, or there are more than \(partLimit)")
            }
            at += 2
            guard let end = find([0x0D, 0x0A] + line, in: bytes, from: at, upTo: bytes.count) else {
                throw malformed("the form does not end with its boundary")
            }
            parts.append(try part(bytes, at..<end))
            at = end + 2 + line.count
        }
    }

    private static func part(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) throws(MalformedRequest) -> Part {
        let blank: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        let limit = min(range.upperBound, range.lowerBound + headerLimit)
        guard let end = find(blank, in: bytes, from: range.lowerBound, upTo: limit),
            let head = String(validating: bytes[range.lowerBound..<end], as: UTF8.self)
        else { throw malformed("a part of the form has no head") }
        let lines = head.split(separator: "\r\n").filter { $0.prefix(20).lowercased() == "content-disposition:" }
        guard lines.count == 1, let disposition = lines.first, let name = parameter("name", of: disposition) else {
            throw malformed("a part of the form has no name, or more than one")
        }
        let isFile = parameter("filename", of: disposition) != nil || disposition.contains("filename*=")
        return Part(name: name, isFile: isFile, body: end + blank.count..<range.upperBound)
    }

    /// A quoted parameter without escapes; nil also for one that is there twice.
    private static func parameter(_ name: String, of header: Substring) -> String? {
        var values: [String] = []
        for piece in pieces(of: header).dropFirst() {
            let pair = piece.drop { $0 == " " || $0 == "\t" }
            guard pair.hasPrefix(name + "=") else { continue }
            let value = pair.dropFirst(name.count + 1)
            guard value.count >= 2, value.first == "\"", value.last == "\"", !value.contains("\\") else { return nil }
            values.append(String(value.dropFirst().dropLast()))
        }
        return values.count == 1 ? values[0] : nil
    }

    /// What stands between semicolons, but for those inside quotes: file names have them too.
    private static func pieces(of header: Substring) -> [Substring] {
        var isQuoted = false
        return header.split(omittingEmptySubsequences: false) { character in
            if character == "\"" { isQuoted.toggle() }
            return character == ";" && !isQuoted
        }
    }

    private static func find(
        _ needle: [UInt8], in bytes: UnsafeBufferPointer<UInt8>, from start: Int, upTo end: Int
    ) -> Int? {
        guard let first = needle.first, end - start >= needle.count else { return nil }
        var at = start
        let last = end - needle.count
        while at <= last {
            if bytes[at] == first, bytes[at..<at + needle.count].elementsEqual(needle) { return at }
            at += 1
        }
        return nil
    }
}
