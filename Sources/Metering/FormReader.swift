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
    /// Bytes of all but files.
    private var text: Int64 = -2
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
            if rest.count > Self.headerLimit {
                throw malformed("a part of the form has no head, or one of more than \(Self.headerLimit) bytes")
            }
            return nil
        }
        let behind = rest.dropFirst(end + blank.count)
        guard behind.count >= line.count else { return nil }
        // A boundary that ends a head would be one to some servers, and the part's body to others.
        guard !behind.starts(with: line) else {
            throw malformed("a part of the form has no head, or one of more than \(Self.headerLimit) bytes")
        }
        guard let part = FormPart(head: rest.prefix(end)) else {
            throw malformed(
                "the head of a part is not that of a form: a Content-Disposition with its name, and no encodings")
        }
        let (name, isFile) = (part.name, part.isFile)
        if Self.fields.contains(name) {
            guard !isFile, met.insert(name).inserted else {
                throw malformed(isFile ? "the field \(name) is a file" : "the field \(name) is repeated", name)
            }
        }
        value = []
        place = .body(name: name, isFile: isFile)
        return text(end + blank.count)
    }

    private static let fields: Set<String> = ["model", "stream", "n", "user"]

    private mutating func body(
        _ rest: ArraySlice<UInt8>, _ name: String, _ isFile: Bool
    ) throws(MalformedRequest) -> Int? {
        let end = try boundary(in: rest)
        // The last bytes may be the beginning of a boundary.
        let count = end ?? max(0, rest.count - delimiter.count + 1)
        if isFile {
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
        malformed("the field \(name) must be UTF-8 of at most \(Self.valueLimit) bytes", name)
    }

    /// RFC 2046: 1 to 70 characters, quoted or not. Beside it only the encoding may be named that all expect.
    private static func boundary(_ contentType: String) throws(MalformedRequest) -> [UInt8] {
        var boundary: Substring?
        for parameter in contentType.split(separator: ";", omittingEmptySubsequences: false).dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map { $0.drop { $0 == " " || $0 == "\t" } }
            var value = pair.count == 2 ? pair[1] : ""
            if value.count >= 2, value.first == "\"", value.last == "\"" { value = value.dropFirst().dropLast() }
            switch pair.first?.lowercased() {
            case "boundary" where boundary == nil: boundary = value
            case "charset" where value.lowercased() == "utf-8": break
            default:
                throw MalformedRequest(
                    reason: "the Content-Type of a form must name one boundary, and no charset but utf-8", member: nil)
            }
        }
        let others = Set("'()+_,-./:=?".utf8)
        guard let bytes = boundary.map({ Array($0.utf8) }), (1...70).contains(bytes.count),
            bytes.allSatisfy({ others.contains($0) || (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) })
        else {
            throw MalformedRequest(
                reason: "the boundary of a form must be 1 to 70 letters, digits and some marks (RFC 2046)", member: nil)
        }
        return bytes
    }

    /// - Returns: how many bytes stand before the next boundary.
    private func boundary(in rest: ArraySlice<UInt8>) throws(MalformedRequest) -> Int? {
        let line = Array(delimiter.dropFirst(2))
        var from = rest.startIndex
        while let distance = Self.find(line, in: rest[from...]) {
            let at = from + distance
            // Two bytes before it are here, unless it was looked at before.
            let before = rest[max(rest.startIndex, at - 2)..<at]
            if before.elementsEqual([0x0D, 0x0A]) { return at - 2 - rest.startIndex }
            // Some servers end a line there.
            guard before.last != 0x0D, before.last != 0x0A else {
                throw malformed("a boundary of the form stands behind half a line end")
            }
            from = at + 1
        }
        return nil
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
