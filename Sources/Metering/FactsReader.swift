import JSON

/// Reads the facts of a JSON body.
struct FactsReader {
    private let route: Route
    private let members: BodyMembers

    /// Of `metadata` more than this is not read: providers allow sixteen pairs.
    private static let metadataLimit = 32_768

    /// - Throws: where the body is not a JSON object that every server reads alike.
    init(_ route: Route, _ bytes: UnsafeBufferPointer<UInt8>) throws(MalformedRequest) {
        self.route = route
        var members = BodyMembers(bytes: bytes, dialect: route.dialect)
        do { try JSONWalk.walk(bytes, &members) } catch {
            throw MalformedRequest(
                reason: "the body is not valid JSON: \(error.reason), at byte \(error.offset)", member: nil)
        }
        guard members.isObject else { throw MalformedRequest(reason: "the body must be a JSON object", member: nil) }
        self.members = members
    }

    /// - Throws: where a member that decides about money is not of its type.
    func facts() throws(MalformedRequest) -> RequestFacts {
        var facts = RequestFacts()
        if let model = try text(.model) { facts.model = try RequestFacts.checkedModel(model) }
        // Speech has a word of its own for it; its bare audio is no stream of events.
        if route.reading == .speech {
            facts.streams = members[.streamFormat].flatMap(members.text) == "sse"
        } else {
            facts.streams = try flag(.stream) ?? false
        }
        facts.isBackground = try flag(.background) ?? false
        facts.maxOutputTokens = try maxOutput()
        facts.choices = max(try count(.choices) ?? 1, try count(.bestOf) ?? 1, 1)
        facts.serviceTier = try word(.serviceTier)
        if route.dialect == .anthropic, try text(.speed) == "fast" { facts.serviceTier = "fast" }
        facts.input = members.weighing.weight
        facts.input.isOpen =
            facts.input.isOpen || members[.previousResponse] != nil || members[.conversation] != nil
            || members[.webSearch] != nil || (route.reading == .responses && members[.prompt] != nil)
        facts.searchesTheWeb = route.reading == .chat && members[.webSearch] != nil
        facts.speaks = members[.modalities].flatMap { members.parsed($0.range)?.array }?.contains("audio") ?? false
        if route.reading == .speech { facts.characters = try spokenCharacters() }
        readContext(into: &facts)
        if route.reading == .chat, facts.streams { try askForUsage(&facts) }
        return facts
    }

    // MARK: Members by type

    private func wrong(_ member: BodyMember, _ expected: String) -> MalformedRequest {
        MalformedRequest(reason: "\(member.name) must be \(expected)", member: member.name.description)
    }

    private func text(_ member: BodyMember) throws(MalformedRequest) -> String? {
        guard let piece = members[member] else { return nil }
        guard piece.range.count <= 4_096, let text = members.text(piece) else {
            throw wrong(member, "a string of at most 4,096 bytes")
        }
        return text
    }

    /// A word of an interface, which goes into events and logs.
    private func word(_ member: BodyMember) throws(MalformedRequest) -> String? {
        guard let text = try text(member) else { return nil }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        guard (1...32).contains(text.utf8.count), text.utf8.allSatisfy({ letters.contains($0) || $0 == 0x5F }) else {
            throw wrong(member, "a word of at most 32 letters")
        }
        return text
    }

    private func flag(_ member: BodyMember) throws(MalformedRequest) -> Bool? {
        switch members[member]?.kind {
        case nil: return nil
        case .true: return true
        case .false: return false
        default: throw wrong(member, "true or false")
        }
    }

    private func count(_ member: BodyMember) throws(MalformedRequest) -> Int64? {
        guard let piece = members[member] else { return nil }
        guard piece.kind == .number, piece.range.count <= 32,
            let count = members.digits(piece) ?? members.parsed(piece.range)?.integer,
            (0...1_000_000_000).contains(count)
        else { throw wrong(member, "a whole number from 0 to 1000000000") }
        return count
    }

    /// Of the route's own members the largest that is named, for which one a server obeys differs. Another route's bounds
    /// nothing here: a server that passes over what it does not know would answer without it.
    private func maxOutput() throws(MalformedRequest) -> Int64? {
        let named = (try count(.maxTokens), try count(.maxCompletionTokens), try count(.maxOutputTokens))
        return switch route.reading {
        case .chat: [named.0, named.1].compactMap(\.self).max()
        case .messages: named.0
        case .responses: named.2
        case .none, .embeddings, .images, .transcription, .speech: nil
        }
    }

    /// Characters as the provider counts them: Unicode scalars.
    private func spokenCharacters() throws(MalformedRequest) -> Int64 {
        guard let piece = members[.input] else { return 0 }
        guard let text = members.text(piece) else { throw wrong(.input, "a string") }
        return Int64(text.unicodeScalars.count)
    }

    // MARK: Context

    private func readContext(into facts: inout RequestFacts) {
        if let piece = members[.metadata], piece.kind == .object, piece.range.count <= Self.metadataLimit {
            facts.metadata = members.parsed(piece.range)?.members ?? []
        }
        if let piece = members[.user], piece.range.count <= Self.metadataLimit { facts.user = members.text(piece) }
    }

    // MARK: Usage in streams

    /// Adds `include_usage` without touching any other byte. What is no object is left for the server to refuse.
    private func askForUsage(_ facts: inout RequestFacts) throws(MalformedRequest) {
        facts.asksUsage = try flag(.includeUsage) ?? false
        if facts.asksUsage { return }
        let option = #""include_usage":true"#
        if let asked = members.written(.includeUsage) {
            facts.splice = BodySplice(range: asked.range, replacement: Array("true".utf8))
        } else if let options = members.written(.streamOptions) {
            switch options.kind {
            case .object:
                let isEmpty = members.parsed(options.range)?.members?.isEmpty ?? false
                let start = options.range.lowerBound + 1
                facts.splice = BodySplice(
                    range: start..<start, replacement: Array((option + (isEmpty ? "" : ",")).utf8))
            case .null: facts.splice = BodySplice(range: options.range, replacement: Array("{\(option)}".utf8))
            default: break
            }
        } else if let start = members.bodyStart {
            facts.splice = BodySplice(
                range: start..<start, replacement: Array(#""stream_options":{\#(option)},"#.utf8))
        }
    }
}
