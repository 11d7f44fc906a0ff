/// What the scanner found in one document: an answer, or one event of a stream.
struct AnswerFindings {
    /// Indexed by place, and a bit for each that the answer has.
    private var counts = [Int64](repeating: 0, count: Self.size)
    private var known: UInt32 = 0
    private static let first = Int(AnswerPlace.inputTokens.rawValue)
    private static let size = Int(AnswerPlace.seconds.rawValue) - first + 1

    var id: String?
    var model: String?
    var tier: String?
    var status: String?
    var type: String?
    var geo: String?
    var speed: String?
    var isBackground = false
    var hasError = false
    var hasUsage = false
    /// The document names no choices, or an empty list of them.
    var hasChoices = false
    var isChoicesEmpty = false
    /// Elements of `data`: the images made.
    var images: Int64 = 0
    var searchCalls: Int64 = 0
    /// Hosted tools that cost something and have no place in the quantities.
    var otherToolCalls: Int64 = 0
    /// Bytes of generated text as they are written, and in how many pieces.
    var textBytes: Int64 = 0
    var textPieces: Int64 = 0
    /// A count that is no whole number: its name.
    var unreadable: String?
    /// Where a `"usage":null` of the outermost object stands, its comma included.
    var nullUsage: Range<Int>?

    subscript(_ place: AnswerPlace) -> Int64? {
        get {
            let index = Int(place.rawValue) - Self.first
            return known >> UInt32(index) & 1 == 1 ? counts[index] : nil
        }
        set {
            let index = Int(place.rawValue) - Self.first
            guard let newValue else { return known &= ~(1 << UInt32(index)) }
            counts[index] = newValue
            known |= 1 << UInt32(index)
        }
    }

    /// As new, in the same memory: a stream has many documents.
    mutating func clear() {
        let counts = self.counts
        self = AnswerFindings(counts)
    }

    init() {}
    private init(_ counts: [Int64]) { self.counts = counts }
}

/// Picks values out of a JSON document that comes in pieces, keeping none of it but what is asked for. It is lenient:
/// whatever comes, it neither fails nor grows; a document that is no JSON has no usage.
struct AnswerScanner {
    private enum Lexeme { case none, string, stringEscape, bare }

    private(set) var findings = AnswerFindings()

    /// Deeper places are of no interest; the depth itself is only counted.
    private static let depthLimit = 16
    private static let keptLimit = 256

    private var lexeme = Lexeme.none
    private var depth = 0
    /// The containers that are open, down to the limit.
    private var places = [AnswerPlace](repeating: .unknown, count: Self.depthLimit)
    private var isObject: UInt32 = 0
    private var expectsName = false
    /// Where the value that comes next stands.
    private var next = AnswerPlace.root
    private var isName = false
    private var keeps = false
    private var isCut = false
    private var kept: [UInt8] = []
    private var length: Int64 = 0

    // For the `"usage":null` of the outermost object: offsets given by whoever feeds.
    private var comma: Int?
    private var nameStart = 0
    private var isUsage = false
    private var awaitsComma = false
    /// Behind the last byte that was fed.
    private var fed = 0

    /// A document began and ended.
    var isWhole: Bool { hasBegun && depth == 0 }
    private var hasBegun = false

    /// Forgets the document, so that another can be read.
    mutating func reset() {
        findings.clear()
        lexeme = .none
        depth = 0
        hasBegun = false
        isObject = 0
        expectsName = false
        next = .root
        comma = nil
        isUsage = false
        awaitsComma = false
    }

    /// - Parameter offset: the place of the first byte in whatever the caller counts in; only `nullUsage` depends on it.
    mutating func feed(_ bytes: UnsafeBufferPointer<UInt8>, offset: Int = 0) {
        fed = offset + bytes.count
        var at = 0
        while at < bytes.count {
            switch lexeme {
            case .string: at = string(bytes, at)
            case .stringEscape:
                keep(bytes, at..<at + 1)
                at += 1
                lexeme = .string
            case .bare: at = bare(bytes, at, offset)
            case .none:
                token(bytes[at], at: at + offset)
                at += 1
                if lexeme == .bare { at -= 1 }
            }
        }
    }

    /// Ends a document that may have ended with a bare word.
    mutating func end() {
        if lexeme == .bare {
            lexeme = .none
            endBare(at: fed)
        }
    }

    // MARK: Lexemes

    private mutating func string(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var at = start
        while at < bytes.count {
            at = StringBytes.end(in: bytes, from: at)
            guard at < bytes.count else { break }
            if bytes[at] == UInt8(ascii: "\"") {
                keep(bytes, start..<at)
                lexeme = .none
                endString()
                return at + 1
            }
            keep(bytes, start..<at + 1)
            lexeme = .stringEscape
            return at + 1
        }
        keep(bytes, start..<at)
        return at
    }

    private mutating func keep(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        length += Int64(range.count)
        guard keeps else { return }
        if kept.count + range.count > Self.keptLimit {
            isCut = true
        } else {
            kept.append(contentsOf: bytes[range])
        }
    }

    private mutating func begin(keeps: Bool) {
        self.keeps = keeps
        kept.removeAll(keepingCapacity: true)
        isCut = false
        length = 0
    }

    private mutating func bare(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ offset: Int) -> Int {
        var at = start
        while at < bytes.count, Self.isBare(bytes[at]) { at += 1 }
        keep(bytes, start..<at)
        if at < bytes.count {
            lexeme = .none
            endBare(at: at + offset)
        }
        return at
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    // MARK: Structure

    private var container: AnswerPlace { depth > 0 && depth <= Self.depthLimit ? places[depth - 1] : .unknown }

    private var isInObject: Bool { depth > 0 && depth <= Self.depthLimit && isObject >> UInt32(depth - 1) & 1 == 1 }

    private mutating func token(_ byte: UInt8, at offset: Int) {
        switch byte {
        case UInt8(ascii: "\""):
            isName = expectsName
            expectsName = false
            if isName { nameStart = offset }
            begin(keeps: isName ? container != .unknown : next != .unknown && next != .text)
            lexeme = .string
        case UInt8(ascii: "{"), UInt8(ascii: "["): open(isObject: byte == UInt8(ascii: "{"))
        case UInt8(ascii: "}"), UInt8(ascii: "]"): close()
        case UInt8(ascii: ","): separate(at: offset)
        case UInt8(ascii: ":"), 0x20, 0x0A, 0x0D, 0x09: break
        default:
            guard Self.isBare(byte) else { return }
            begin(keeps: next != .unknown)
            lexeme = .bare
        }
    }

    private mutating func open(isObject: Bool) {
        countElement()
        hasBegun = true
        depth += 1
        awaitsComma = false
        guard depth <= Self.depthLimit else {
            next = .unknown
            expectsName = false
            return
        }
        places[depth - 1] = next
        let bit = UInt32(1) << UInt32(depth - 1)
        if isObject { self.isObject |= bit } else { self.isObject &= ~bit }
        switch next {
        case .usage where isObject: findings.hasUsage = true
        case .choices where !isObject:
            findings.hasChoices = true
            findings.isChoicesEmpty = true
        case .error where isObject: findings.hasError = true
        default: break
        }
        expectsName = isObject
        next = isObject ? .unknown : next.element
        if isObject, depth == 1 { comma = nil }
    }

    private mutating func close() {
        depth = max(0, depth - 1)
        expectsName = false
        next = .unknown
    }

    private mutating func separate(at offset: Int) {
        expectsName = isInObject
        next = expectsName ? .unknown : container.element
        guard depth == 1 else { return }
        if awaitsComma, let range = findings.nullUsage {
            findings.nullUsage = Self.range(range.lowerBound, offset + 1)
        }
        awaitsComma = false
        comma = offset
    }

    /// A list whose elements are counted rather than read has one more.
    private mutating func countElement() {
        switch container {
        case .choices: findings.isChoicesEmpty = false
        case .data where !isInObject: findings.images += 1
        default: break
        }
    }

    // MARK: Values

    private mutating func endString() {
        guard isName else {
            countElement()
            takeString()
            next = .unknown
            return
        }
        isName = false
        let place = container
        next = place == .unknown || isCut ? .unknown : kept.withUnsafeBufferPointer { place.member($0) }
        isUsage = depth == 1 && next == .usage
    }

    private mutating func takeString() {
        if next == .text || next == .message {
            findings.textBytes += length
            if length > 0 { findings.textPieces += 1 }
            return
        }
        if next == .content { findings.textBytes += length }
        guard next != .unknown, !isCut else { return }
        switch next {
        case .id: findings.id = text
        case .model: findings.model = text
        case .tier: findings.tier = text
        case .status: findings.status = text
        case .type: findings.type = text
        case .geo: findings.geo = text
        case .speed: findings.speed = text
        case .error: findings.hasError = true
        case .itemType: countTool(text)
        default: if next.isCount { findings.unreadable = "\(next)" }
        }
    }

    private mutating func countTool(_ type: String) {
        switch type {
        case "web_search_call": findings.searchCalls += 1
        case "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call":
            findings.otherToolCalls += 1
        default: break
        }
    }

    private var text: String { String(decoding: kept, as: UTF8.self) }

    private func isKept(_ word: StaticString) -> Bool {
        kept.withUnsafeBufferPointer { word.equals($0, in: 0..<$0.count) }
    }

    private mutating func endBare(at offset: Int) {
        countElement()
        if next == .background { findings.isBackground = isKept("true") }
        if next == .usage, isUsage, depth == 1, isKept("null") {
            findings.nullUsage = Self.range(comma ?? nameStart, offset)
            awaitsComma = comma == nil
        }
        if next.isCount, !isKept("null") {
            if let count = isCut ? nil : number { findings[next] = count } else { findings.unreadable = "\(next)" }
        }
        isUsage = false
        next = .unknown
    }

    /// nil where they contradict each other: whoever counts each piece from 0 does not ask for the place.
    private static func range(_ start: Int, _ end: Int) -> Range<Int>? { start <= end ? start..<end : nil }

    /// A whole number; seconds are rounded up to one.
    private var number: Int64? {
        var value: Int64 = 0
        var isFraction = false
        var digits = 0
        for byte in kept {
            if byte == UInt8(ascii: "."), !isFraction, digits > 0 {
                isFraction = true
                continue
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 17 else { return nil }
            if isFraction {
                guard byte != UInt8(ascii: "0") else { continue }
                return next == .seconds ? value + 1 : nil
            }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            digits += 1
        }
        return digits > 0 ? value : nil
    }
}

/// The run of bytes inside a string before its end or an escape.
enum StringBytes {
    /// - Returns: the first offset with a quote or a backslash, or the end. Eight at a time: base64 of a hundred megabytes
    ///   passes here.
    @inline(__always)
    static func end(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs = ones << 7
        var at = start
        let base = UnsafeRawPointer(bytes.baseAddress)
        while at + 8 <= bytes.count, let base {
            let word = base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let special = ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            guard special & highs == 0 else { break }
            at += 8
        }
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\") { at += 1 }
        return at
    }
}
