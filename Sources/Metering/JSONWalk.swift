/// Why a body is not JSON that is passed on.
struct JSONFault: Error, Hashable {
    /// Completes "the body is not valid JSON: …"; repeats nothing of it.
    let reason: String
    /// Byte offset from 0.
    let offset: Int
}

/// A string, number or word of a document, as a place in it.
struct JSONPiece: Hashable {
    enum Kind: Hashable { case string, number, `true`, `false`, null, object, array }

    let kind: Kind
    /// The value's own bytes; of a string those between the quotes.
    let range: Range<Int>
    /// Only of a string: it has to be unescaped before it is compared.
    let hasEscapes: Bool
}

/// Is told what a document holds while it is read. Depth 1 are the members of the outermost object.
protocol JSONVisitor {
    mutating func name(_ piece: JSONPiece, depth: Int) throws(JSONFault)
    /// A scalar, or a container when it has ended.
    mutating func value(_ piece: JSONPiece, depth: Int) throws(JSONFault)
}

/// Reads a whole document as RFC 8259 has it, without recursion and without copying: what nests too deeply, is no UTF-8
/// or begins with a byte-order mark is refused, for servers read such things differently.
enum JSONWalk {
    static let depthLimit = 256

    static func walk(_ bytes: UnsafeBufferPointer<UInt8>, _ visitor: inout some JSONVisitor) throws(JSONFault) {
        var reader = JSONReader(bytes: bytes)
        try reader.walk(&visitor)
    }
}

private struct JSONReader {
    private enum Next { case value, valueOrEnd, name, nameOrEnd, separator }
    private struct Container {
        let isObject: Bool
        let start: Int
    }

    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0
    private var open: [Container] = []

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        open.reserveCapacity(16)
    }

    mutating func walk(_ visitor: inout some JSONVisitor) throws(JSONFault) {
        var next = Next.value
        while true {
            skipSpace()
            guard at < bytes.count else {
                guard next == .separator, open.isEmpty else { throw fault("it ends too early") }
                return
            }
            switch next {
            case .value, .valueOrEnd: next = try value(orEnd: next == .valueOrEnd, &visitor)
            case .name, .nameOrEnd: next = try name(orEnd: next == .nameOrEnd, &visitor)
            case .separator: next = try separator(&visitor)
            }
        }
    }

    private func fault(_ reason: String) -> JSONFault { JSONFault(reason: reason, offset: at) }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    private mutating func value(orEnd: Bool, _ visitor: inout some JSONVisitor) throws(JSONFault) -> Next {
        let start = at
        switch bytes[at] {
        case UInt8(ascii: "{"): return try begin(isObject: true)
        case UInt8(ascii: "["): return try begin(isObject: false)
        case UInt8(ascii: "]") where orEnd: return try end(&visitor)
        case UInt8(ascii: "\""): try visitor.value(string(), depth: open.count)
        case UInt8(ascii: "t"): try visitor.value(word("true", .true), depth: open.count)
        case UInt8(ascii: "f"): try visitor.value(word("false", .false), depth: open.count)
        case UInt8(ascii: "n"): try visitor.value(word("null", .null), depth: open.count)
        default:
            try number()
            try visitor.value(JSONPiece(kind: .number, range: start..<at, hasEscapes: false), depth: open.count)
        }
        return .separator
    }

    private mutating func begin(isObject: Bool) throws(JSONFault) -> Next {
        guard open.count < JSONWalk.depthLimit else { throw fault("it nests more than \(JSONWalk.depthLimit) deep") }
        open.append(Container(isObject: isObject, start: at))
        at += 1
        return isObject ? .nameOrEnd : .valueOrEnd
    }

    private mutating func end(_ visitor: inout some JSONVisitor) throws(JSONFault) -> Next {
        at += 1
        guard let ended = open.popLast() else { throw fault("something follows it") }
        let piece = JSONPiece(kind: ended.isObject ? .object : .array, range: ended.start..<at, hasEscapes: false)
        try visitor.value(piece, depth: open.count)
        return .separator
    }

    private mutating func name(orEnd: Bool, _ visitor: inout some JSONVisitor) throws(JSONFault) -> Next {
        if orEnd, bytes[at] == UInt8(ascii: "}") { return try end(&visitor) }
        guard bytes[at] == UInt8(ascii: "\"") else { throw fault("a member's name should be here") }
        try visitor.name(string(), depth: open.count)
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fault("a colon should be here") }
        at += 1
        return .value
    }

    private mutating func separator(_ visitor: inout some JSONVisitor) throws(JSONFault) -> Next {
        guard let inner = open.last else { throw fault("something follows it") }
        switch bytes[at] {
        case UInt8(ascii: ","):
            at += 1
            return inner.isObject ? .name : .value
        case UInt8(ascii: "}") where inner.isObject, UInt8(ascii: "]") where !inner.isObject:
            return try end(&visitor)
        default: throw fault("a comma or the end of the list should be here")
        }
    }

    private mutating func word(_ word: StaticString, _ kind: JSONPiece.Kind) throws(JSONFault) -> JSONPiece {
        let count = word.utf8CodeUnitCount
        guard bytes.count - at >= count, (0..<count).allSatisfy({ bytes[at + $0] == word.utf8Start[$0] }) else {
            throw fault("a value should be here")
        }
        at += count
        return JSONPiece(kind: kind, range: at - count..<at, hasEscapes: false)
    }

    private mutating func digits() -> Int {
        let start = at
        while at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9") { at += 1 }
        return at - start
    }

    private mutating func number() throws(JSONFault) {
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let start = at
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[start] != UInt8(ascii: "0") else { throw fault("a value should be here") }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            guard digits() > 0 else { throw fault("a digit should follow the point") }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw fault("a digit should follow the exponent") }
        }
    }

    private mutating func string() throws(JSONFault) -> JSONPiece {
        at += 1
        let start = at
        var hasEscapes = false
        while true {
            at = PlainBytes.end(in: bytes, from: at)
            guard at < bytes.count else { throw fault("a string has no end") }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                return JSONPiece(kind: .string, range: start..<at - 1, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            case 0..<0x20: throw fault("a control character inside a string")
            default:
                guard let length = UTF8Sequence.length(in: bytes, at: at) else { throw fault("a string is not UTF-8") }
                at += length
            }
        }
    }

    private mutating func escape() throws(JSONFault) {
        at += 1
        guard at < bytes.count else { throw fault("a string has no end") }
        switch bytes[at] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 1
        case UInt8(ascii: "u"):
            let digits = bytes[(at + 1)...].prefix(4)
            guard digits.count == 4, digits.allSatisfy(Self.isHex) else {
                throw fault("four hexadecimal digits should be here")
            }
            at += 5
        default: throw fault("an unknown escape")
        }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "a")...UInt8(ascii: "f"):
            true
        default: false
        }
    }
}

/// The run of a string's bytes that need no look: printable ASCII but for quote and backslash.
enum PlainBytes {
    /// - Returns: the first offset that holds anything else, or the end. Eight at a time: bodies are mostly this.
    @inline(__always)
    static func end(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var at = start
        let base = UnsafeRawPointer(bytes.baseAddress)
        while at + 8 <= bytes.count, let base {
            let word = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            guard isPlain(word) else { break }
            at += 8
        }
        while at < bytes.count {
            let byte = bytes[at]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return at }
            at += 1
        }
        return at
    }

    /// Each test borrows from a byte's high bit only if that byte (or one below it, which then fails too) is special.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs = ones << 7
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let special = word | (word &- ones &* 0x20) | (quote &- ones) | (backslash &- ones)
        return special & highs == 0
    }
}

/// Well-formed UTF-8 (Unicode 3.9, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Sequence {
    /// The length of the sequence that begins there; nil if it is not one.
    static func length(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
        func byte(_ offset: Int) -> UInt8 { start + offset < bytes.count ? bytes[start + offset] : 0 }
        func continues(_ offset: Int) -> Bool { byte(offset) & 0xC0 == 0x80 }
        switch byte(0) {
        case 0..<0x80: return 1
        case 0xC2...0xDF: return continues(1) ? 2 : nil
        case 0xE0: return byte(1) >= 0xA0 && continues(1) && continues(2) ? 3 : nil
        case 0xED: return byte(1) < 0xA0 && continues(1) && continues(2) ? 3 : nil
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : nil
        case 0xF0: return byte(1) >= 0x90 && continues(1) && continues(2) && continues(3) ? 4 : nil
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : nil
        case 0xF4: return byte(1) < 0x90 && continues(1) && continues(2) && continues(3) ? 4 : nil
        default: return nil
        }
    }
}
