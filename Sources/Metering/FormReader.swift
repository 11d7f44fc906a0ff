import Glibc

/// Reads the few fields of a `multipart/form-data` body that are looked at (RFC 7578), piece by piece. Strictly: what two
/// servers could read differently is refused.
package struct FormReader: Sendable {
    private enum Place {
        case start
        /// Behind a boundary: another part, or the end.
        case boundary
        case head
        case body(name: String, isFile: Bool)
        case end
    }

    private let route: Route
    /// With the line's end before it.
    private let delimiter: [UInt8]
    /// Bytes of the whole form, as announced; nil without a word.
    private let length: Int?
    private var place = Place.start
    /// What could not be decided yet. The first boundary has a line's end before it, too, so that all look alike.
    private var pending: [UInt8] = [0x0D, 0x0A]
    private var value: [UInt8] = []
    private var parts = 0
    private var met: Set<String> = []
    private var facts = RequestFacts()
    /// Bytes of files, and of all else.
    private var (filed, text): (Int64, Int64) = (0, -2)
    /// How much text there may be, once the beginning of the form has gone on.
    private var textLimit: Int64?

    private static let partLimit = 64
    private static let headerLimit = 2_048
    private static let valueLimit = 4_096
    /// What may follow the file whose beginning has gone on: it was set aside as text before anyone knew it.
    package static let lateText: Int64 = 4_096

    /// Whether a body of this type is a form.
    package static func reads(_ contentType: String?) -> Bool {
        contentType?.lowercased().hasPrefix("multipart/form-data") == true
    }

    package init(_ route: Route, contentType: String, length: Int?) throws(MalformedRequest) {
        self.route = route
        self.length = length
        delimiter = Array("\r\n--".utf8) + (try Self.boundary(contentType))
    }

    /// - Complexity: of the piece's size, whatever came before.
    package mutating func read(_ piece: UnsafeRawBufferPointer) throws(MalformedRequest) {
        pending += piece
        var at = 0
        while let taken = try step(pending[at...]) { at += taken }
        // A new one, since this one would keep the room of the largest piece.
        pending = Array(pending[at...])
        if let textLimit, text > textLimit {
            throw malformed(
                "a form has more than \(Self.lateText) bytes of other fields behind its file: put them before it")
        }
    }

    /// - Returns: how many bytes were read; nil if more have to come first.
    private mutating func step(_ rest: ArraySlice<UInt8>) throws(MalformedRequest) -> Int? {
        switch place {
        case .start:
            guard rest.count >= delimiter.count else { return nil }
            guard rest.starts(with: delimiter) else { throw malformed("the form does not begin with its boundary") }
            place = .boundary
            return text(delimiter.count)
        case .boundary:
            guard rest.count >= 2 else { return nil }
            if rest.starts(with: [0x2D, 0x2D]) {
                place = .end
            } else {
                guard rest.starts(with: [0x0D, 0x0A]), parts < Self.partLimit else {
                    throw malformed(
                        "a boundary of the form is not followed by a part, or there are more than \(Self.partLimit)")
                }
                parts += 1
                place = .head
            }
            return text(2)
        case .head: return try head(rest)
        case .body(let name, let isFile): return try body(rest, name, isFile)
        case .end: return rest.isEmpty ? nil : text(rest.count)
        }
    }

    private mutating func text(_ count: Int) -> Int {
        text += Int64(count)
        return count
    }

    private mutating func head(_ rest: ArraySlice<UInt8>) throws(MalformedRequest) -> Int? {
        let blank: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        let line = delimiter.dropFirst(2)
        guard let end = Self.find(blank, in: rest.prefix(Self.headerLimit + blank.count)) else {
            if rest.count > Self.headerLimit { throw malformed("a part of the form has no head") }
            return nil
        }
        let behind = rest.dropFirst(end + blank.count)
        guard behind.count >= line.count else { return nil }
        // A boundary that ends a head would be one to some servers, and the part's body to others.
        let bytes = rest.prefix(end)
        guard !behind.starts(with: line), !bytes.starts(with: line), Self.find(delimiter, in: bytes) == nil,
            let head = String(validating: bytes, as: UTF8.self)
        else { throw malformed("a part of the form has no head") }
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
        guard lines.allSatisfy(Self.isWhole) else { throw malformed("a line in a part's head is not well-formed") }
        guard lines.allSatisfy(Self.isPlain) else { throw malformed("a part of the form is encoded") }
        let dispositions = lines.filter { $0.prefix(20).lowercased() == "content-disposition:" }
        guard dispositions.count == 1, let disposition = dispositions.first,
            let name = parameter("name", of: disposition)
        else { throw malformed("a part of the form has no name, or more than one") }
        let isFile = parameter("filename", of: disposition) != nil || disposition.contains("filename*=")
        if !isFile, Self.fields.contains(name), !met.insert(name).inserted {
            throw malformed("the field \(name) is repeated", name)
        }
        value = []
        place = .body(name: name, isFile: isFile)
        return text(end + blank.count)
    }

    /// Neither empty nor folded, and without line ends that not everybody takes for one.
    private static func isWhole(_ line: Substring) -> Bool {
        guard let first = line.utf8.first, first != 0x20, first != 0x09 else { return false }
        return line.utf8.allSatisfy { $0 != 0x0D && $0 != 0x0A && $0 != 0 }
    }

    /// Says nothing of an encoding that some servers would undo.
    private static func isPlain(_ line: Substring) -> Bool {
        let name = "content-transfer-encoding:"
        guard line.prefix(name.count).lowercased() == name else { return true }
        return ["7bit", "8bit", "binary"].contains(
            String(line.dropFirst(name.count).filter { $0 != " " && $0 != "\t" }).lowercased())
    }

    private static let fields: Set<String> = ["model", "stream", "n", "user"]

    private mutating func body(
        _ rest: ArraySlice<UInt8>, _ name: String, _ isFile: Bool
    ) throws(MalformedRequest) -> Int? {
        let end = Self.find(delimiter, in: rest)
        // The last bytes may be the beginning of a boundary.
        let count = end ?? max(0, rest.count - delimiter.count + 1)
        if isFile {
            filed += Int64(count)
            if route.reading != .images { facts.input.audioBytes += Int64(count) }
        } else {
            if Self.fields.contains(name) {
                value += rest.prefix(count)
                guard value.count <= Self.valueLimit else { throw tooLong(name) }
            }
            _ = text(count)
        }
        guard end != nil else { return count == 0 ? nil : count }
        if !isFile, Self.fields.contains(name) {
            guard let said = String(validating: value, as: UTF8.self) else { throw tooLong(name) }
            try take(said, of: name)
        } else if isFile, route.reading == .images {
            facts.input.images += 1
        }
        place = .boundary
        return count + text(delimiter.count)
    }

    /// What a call can be admitted with before its form is whole: of a recording that is being read, whose model was named
    /// before it and whose size was announced. Of pictures their number is known at the end alone. All that comes from now
    /// on counts as sound, but for `lateText`: more text than that is refused.
    /// - Returns: nil where more has to be known, and for every time but the first.
    package mutating func beginning() -> RequestFacts? {
        guard case .body(_, isFile: true) = place, route.reading == .transcription, let length, textLimit == nil,
            !facts.model.isEmpty
        else { return nil }
        var facts = facts
        facts.input.audioBytes = Int64(length) - text
        facts.input.textBytes = text + Self.lateText
        textLimit = text + Self.lateText
        return facts
    }

    /// What the form says, when all of it was read.
    package func finish() throws(MalformedRequest) -> RequestFacts {
        guard case .end = place else { throw malformed("the form does not end with its boundary") }
        var facts = facts
        facts.input.textBytes = text
        try facts.nameModel(route)
        return facts
    }

    private mutating func take(_ text: String, of name: String) throws(MalformedRequest) {
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

    private func malformed(_ reason: String, _ member: String? = nil) -> MalformedRequest {
        MalformedRequest(reason: reason, member: member)
    }

    private func tooLong(_ name: String) -> MalformedRequest {
        malformed("the field \(name) is not text of a bounded length", name)
    }

    /// RFC 2046: 1 to 70 characters, quoted or not.
    private static func boundary(_ contentType: String) throws(MalformedRequest) -> [UInt8] {
        let values = contentType.split(separator: ";").dropFirst().compactMap { parameter -> Substring? in
            let pair = parameter.drop { $0 == " " || $0 == "\t" }
            guard pair.prefix(9).lowercased() == "boundary=" else { return nil }
            return pair.dropFirst(9)
        }
        guard values.count == 1, var value = values.first else {
            throw MalformedRequest(reason: "the Content-Type of a form must name one boundary", member: nil)
        }
        if value.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
        guard (1...70).contains(value.utf8.count), value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 })
        else {
            throw MalformedRequest(reason: "the boundary of a form must be 1 to 70 visible characters", member: nil)
        }
        return Array(value.utf8)
    }

    /// A quoted parameter without escapes; nil also for one that is there twice.
    private func parameter(_ name: String, of header: Substring) -> String? {
        var values: [String] = []
        for piece in Self.pieces(of: header).dropFirst() {
            let pair = piece.drop { $0 == " " || $0 == "\t" }
            // Some servers would take this for the name.
            if pair.lowercased().hasPrefix("name*") { return nil }
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

    /// - Returns: how many bytes stand before it.
    private static func find(_ needle: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let first = needle.first else { return nil }
            var at = 0
            while at + needle.count <= bytes.count {
                let places = bytes.count - needle.count + 1 - at
                guard let found = memchr(start + at, Int32(first), places) else { return nil }
                if memcmp(found, needle, needle.count) == 0 { return UnsafeRawPointer(found) - start }
                at = UnsafeRawPointer(found) - start + 1
            }
            return nil
        }
    }
}
