import JSON

/// The members of a body's outermost object that are looked at.
enum BodyMember: Int, CaseIterable {
    case model, stream, streamFormat, streamOptions, includeUsage, choices, bestOf
    case maxTokens, maxCompletionTokens, maxOutputTokens
    case serviceTier, speed, background, metadata, user, input, modalities
    case previousResponse, conversation, prompt, webSearch

    /// As it is written. `include_usage` is one of `stream_options`.
    var name: StaticString {
        switch self {
        case .model: "model"
        case .stream: "stream"
        case .streamFormat: "stream_format"
        case .streamOptions: "stream_options"
        case .includeUsage: "include_usage"
        case .choices: "n"
        case .bestOf: "best_of"
        case .maxTokens: "max_tokens"
        case .maxCompletionTokens: "max_completion_tokens"
        case .maxOutputTokens: "max_output_tokens"
        case .serviceTier: "service_tier"
        case .speed: "speed"
        case .background: "background"
        case .metadata: "metadata"
        case .user: "user"
        case .input: "input"
        case .modalities: "modalities"
        case .previousResponse: "previous_response_id"
        case .conversation: "conversation"
        case .prompt: "prompt"
        case .webSearch: "web_search_options"
        }
    }
}

extension StaticString {
    /// Equal in every byte.
    func equals(_ bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>) -> Bool {
        guard utf8CodeUnitCount == range.count else { return false }
        for offset in 0..<range.count where utf8Start[offset] != bytes[range.lowerBound + offset] { return false }
        return true
    }
}

/// Finds those members in one pass, and weighs everything on the way.
struct BodyMembers: JSONVisitor {
    let bytes: UnsafeBufferPointer<UInt8>
    private(set) var isObject = false
    private(set) var weighing: InputWeighing
    private var found: [JSONPiece?]
    private var outer: BodyMember?
    private var option: BodyMember?

    init(bytes: UnsafeBufferPointer<UInt8>, dialect: Dialect) {
        self.bytes = bytes
        weighing = InputWeighing(bytes: bytes, dialect: dialect)
        found = Array(repeating: nil, count: BodyMember.allCases.count)
    }

    subscript(_ member: BodyMember) -> JSONPiece? {
        let piece = found[member.rawValue]
        return piece?.kind == .null ? nil : piece
    }

    /// As the body has it, null included.
    func written(_ member: BodyMember) -> JSONPiece? { found[member.rawValue] }

    /// Where the first member of the outermost object stands.
    private(set) var bodyStart: Int?

    mutating func name(_ piece: JSONPiece, depth: Int) throws(JSONFault) {
        weighing.name(piece)
        switch depth {
        case 1: outer = try member(piece) { $0 != .includeUsage }
        case 2 where outer == .streamOptions: option = try member(piece) { $0 == .includeUsage }
        default: break
        }
    }

    mutating func value(_ piece: JSONPiece, depth: Int) throws(JSONFault) {
        switch depth {
        case 0:
            isObject = piece.kind == .object
            bodyStart = piece.range.lowerBound + 1
        case 1: if let outer { found[outer.rawValue] = piece }
        case 2 where outer == .streamOptions: if let option { found[option.rawValue] = piece }
        default: break
        }
        weighing.value(piece)
    }

    /// - Throws: for one that was met before: servers differ in which of the two counts.
    private func member(_ piece: JSONPiece, _ isMeant: (BodyMember) -> Bool) throws(JSONFault) -> BodyMember? {
        var met = BodyMember.allCases.first { isMeant($0) && $0.name.equals(bytes, in: piece.range) }
        if piece.hasEscapes, piece.range.count <= 200, let name = text(piece) {
            met = BodyMember.allCases.first { isMeant($0) && $0.name.description == name }
        }
        if let met, found[met.rawValue] != nil {
            throw JSONFault(reason: "the member \(met.name) is repeated", offset: piece.range.lowerBound)
        }
        return met
    }

    /// The text of a string, unescaped; nil for anything else.
    func text(_ piece: JSONPiece) -> String? {
        guard piece.kind == .string else { return nil }
        guard piece.hasEscapes else { return String(decoding: bytes[piece.range], as: UTF8.self) }
        return parsed(piece.range.lowerBound - 1..<piece.range.upperBound + 1)?.string
    }

    /// A number that is nothing but a few digits, as counts nearly always are.
    func digits(_ piece: JSONPiece) -> Int64? {
        guard piece.range.count <= 10 else { return nil }
        var value: Int64 = 0
        for byte in bytes[piece.range] {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// A part of the body as a value; nil where it nests too deeply for that.
    func parsed(_ range: Range<Int>) -> JSONValue? {
        do { return try JSONValue.parse(bytes[range]) } catch { return nil }
    }
}
