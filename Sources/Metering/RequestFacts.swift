package import JSON

/// Why a body is refused before it is sent on.
package struct MalformedRequest: Error, Hashable, Sendable {
    /// For the caller; repeats nothing of the body but the names of members.
    package let reason: String
    /// The member concerned; nil where it is the body as a whole.
    package let member: String?
}

/// What the gateway has to know of a request before it sends it on. Read in one pass; of a JSON body only members of the
/// outermost object, of `stream_options` and of `metadata` are looked at, the rest is weighed.
package struct RequestFacts: Hashable, Sendable {
    /// As the body names it, or the route's default; empty on routes without one.
    package internal(set) var model = ""
    /// The answer is asked for as server-sent events.
    package internal(set) var streams = false
    /// The caller asked for usage in the stream: the chunk is the caller's too.
    package internal(set) var asksUsage = false
    /// What the caller bounds the output to, in tokens per choice; nil without a bound.
    package internal(set) var maxOutputTokens: Int64?
    /// How many outputs are generated, and charged.
    package internal(set) var choices: Int64 = 1
    /// As asked for; nil or `auto` leaves it to the provider.
    package internal(set) var serviceTier: String?
    /// The Responses API works on after the answer.
    package internal(set) var isBackground = false
    /// Each call of a chat that searches the web costs a search.
    package internal(set) var searchesTheWeb = false
    /// Speech is asked for as part of the answer.
    package internal(set) var speaks = false
    /// How large the input is.
    package internal(set) var input = InputWeight()
    /// Of what is to be spoken; 0 on other routes.
    package internal(set) var characters: Int64 = 0
    /// The body's own `metadata`, and its `user`: unchecked words of the caller.
    package internal(set) var metadata: [JSONValue.Member] = []
    package internal(set) var user: String?
    /// What is changed in the body before it goes upstream; nil sends it as it came.
    package internal(set) var splice: BodySplice?

    /// Of a request without a body.
    package init() {}

    /// - Parameters:
    ///   - contentType: the header's value; multipart forms are read where the route takes them, all else is JSON.
    ///   - body: whole, as it came.
    package static func read(
        _ route: Route, contentType: String?, body: UnsafeRawBufferPointer
    ) throws(MalformedRequest) -> RequestFacts {
        guard route.hasBody else { return RequestFacts() }
        if let contentType, FormReader.reads(contentType) {
            var reader = try FormReader(route, contentType: contentType, length: body.count)
            // In pieces, so that it is not all copied at once.
            for start in stride(from: 0, to: body.count, by: 65_536) {
                try reader.read(UnsafeRawBufferPointer(rebasing: body[start..<min(start + 65_536, body.count)]))
            }
            return try reader.finish()
        }
        var facts = try FactsReader(route, body.assumingMemoryBound(to: UInt8.self)).facts()
        try facts.nameModel(route)
        return facts
    }

    /// Where the body names no model, the route may.
    mutating func nameModel(_ route: Route) throws(MalformedRequest) {
        guard model.isEmpty else { return }
        guard let named = route.defaultModel else {
            throw MalformedRequest(reason: "you must provide a model parameter", member: "model")
        }
        model = named
    }

    /// A name that can be looked up, logged and stored: no control characters, of a bounded length.
    static func checkedModel(_ name: String) throws(MalformedRequest) -> String {
        guard (1...200).contains(name.utf8.count),
            name.isPlain || name.unicodeScalars.allSatisfy(\.properties.isPrintable)
        else {
            throw MalformedRequest(reason: "model must be a name of 1 to 200 printable characters", member: "model")
        }
        return name
    }
}

extension String {
    /// Printable ASCII alone, as nearly all names are: nothing has to be looked up for it.
    var isPlain: Bool {
        for byte in utf8 where byte < 0x20 || byte > 0x7E { return false }
        return true
    }
}

extension Unicode.Scalar.Properties {
    /// Neither a control or format character, nor a line separator, nor white space other than a blank.
    var isPrintable: Bool {
        switch generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}

/// One change to a body: what stands in `range` gives way to `replacement`, every other byte stays.
package struct BodySplice: Hashable, Sendable {
    /// Byte offsets from 0; empty where something is only put in.
    package let range: Range<Int>
    package let replacement: [UInt8]

    /// The body with the change in it.
    package func applied(to body: UnsafeRawBufferPointer) -> [UInt8] {
        var changed: [UInt8] = []
        changed.reserveCapacity(body.count - range.count + replacement.count)
        changed += body[..<range.lowerBound]
        changed += replacement
        changed += body[range.upperBound...]
        return changed
    }
}
