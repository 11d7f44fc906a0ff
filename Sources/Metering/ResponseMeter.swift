import FinOps

/// What the client gets of a piece of an answer.
package enum Relay: Hashable, Sendable {
    /// Every byte as it came.
    case unchanged
    case replaced([UInt8])
}

/// Reads the usage out of one answer while it passes. It keeps no more of it than one event of a stream that has to be
/// changed, and never an answer.
package struct ResponseMeter: Sendable {
    private enum Form: Sendable { case document, events, opaque }

    private let route: Route
    private let facts: RequestFacts
    private let isSuccess: Bool
    private let form: Form
    /// The caller did not ask for usage, so that what was asked for on its behalf is taken out again.
    private let removesUsage: Bool

    private var scanner = AnswerScanner()
    private var lines = EventLines()
    private var usage = ReportedUsage()
    private var summary = Summary()

    private var held: [UInt8] = []
    /// The event under way is too large to be held: it passes as it is.
    private var passesEvent = false
    private var droppedLast = false

    /// A larger event of a stream passes unchanged.
    package static let heldLimit = 262_144

    private struct Summary: Sendable {
        var id: String?
        var model: String?
        var tier: String?
        var status: String?
        var geo: String?
        var speed: String?
        var isBackground = false
        var hasError = false
        var isLastWordHeard = false
        var images: Int64 = 0
        var searchCalls: Int64 = 0
        var otherToolCalls: Int64 = 0
        var textBytes: Int64 = 0
        var textPieces: Int64 = 0
    }

    /// - Parameters:
    ///   - status: the upstream's.
    ///   - contentType: the answer's header; tells streams from documents.
    package init(_ route: Route, _ facts: RequestFacts, status: Int, contentType: String?) {
        self.route = route
        self.facts = facts
        isSuccess = (200..<300).contains(status)
        if !isSuccess || route.reading == .none && route.kind.isEmpty {
            form = .opaque
        } else {
            form = Self.form(contentType ?? "", route.reading)
        }
        removesUsage = form == .events && facts.splice != nil
    }

    /// By bytes: it is asked for every answer. Servers that name another type, or none, answer in JSON all the same where that
    /// is all there is to answer; the scanner takes whatever comes.
    private static func form(_ contentType: String, _ reading: Route.Reading) -> Form {
        let type = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }.map { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        return type.withUnsafeBufferPointer { type in
            func stands(_ word: StaticString, at place: Int) -> Bool {
                word.utf8CodeUnitCount <= type.count - place
                    && word.equals(type, in: place..<place + word.utf8CodeUnitCount)
            }
            if stands("text/event-stream", at: 0) { return .events }
            if (0..<type.count).contains(where: { stands("json", at: $0) }) { return .document }
            switch reading {
            case .chat, .responses, .embeddings, .messages, .images: return .document
            case .none, .speech, .transcription: return .opaque
            }
        }
    }

    /// - Parameter bytes: the next piece of the body; not kept beyond the call.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Relay {
        let bytes = bytes.assumingMemoryBound(to: UInt8.self)
        switch form {
        case .opaque: break
        case .document: scanner.feed(bytes)
        case .events:
            if removesUsage { return .replaced(rewrite(bytes)) }
            var at = 0
            while let step = lines.step(bytes, &at) {
                switch step {
                case .payload(let range): scanner.feed(UnsafeBufferPointer(rebasing: bytes[range]))
                case .lineEnd: scanner.end()
                case .eventEnd: endEvent()
                }
            }
        }
        return .unchanged
    }

    /// Tokens of a stream's text that have passed, as near as can be told.
    package var outputSoFar: Int64 {
        max(summary.textPieces, (summary.textBytes + 3) / 4, usage[.outputTokens] ?? 0)
    }

    /// The id of an answer that is made in the background, once it is known.
    package var laterAnswer: String? { route.answersLater(facts) && form == .events ? summary.id : nil }

    /// What was used, once the provider has said so; the end of the answer changes nothing about it.
    package var told: MeterReading? { summary.isLastWordHeard ? reading(.complete) : nil }

    /// - Returns: bytes of the answer that were kept back, and what was used.
    package mutating func finish(_ end: AnswerEnd) -> (rest: [UInt8], reading: MeterReading) {
        var rest: [UInt8] = []
        scanner.end()
        switch form {
        case .opaque: break
        case .document: settle(scanner.findings, isWhole: scanner.isWhole)
        case .events:
            // The last event may lack its blank line; one that was cut may not be counted on.
            if end == .complete, scanner.isWhole, removesUsage {
                appendEvent(held[...], to: &rest)
                held = []
            }
            settle(scanner.findings, isWhole: scanner.isWhole)
            rest += held
            held = []
        }
        return (rest, reading(end))
    }

    // MARK: Events

    private mutating func endEvent() {
        settle(scanner.findings, isWhole: scanner.isWhole)
        scanner.reset()
    }

    /// Passes events on one by one, without what the caller did not ask for.
    private mutating func rewrite(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var fresh = bytes
        var out: [UInt8] = []
        out.reserveCapacity(held.count + fresh.count)
        if held.isEmpty, lines.takeLineFeed(fresh.first) {
            // It belongs to the event before, whatever became of that.
            fresh = UnsafeBufferPointer(rebasing: fresh.dropFirst())
            if !droppedLast { out.append(UInt8(ascii: "\n")) }
        }
        /// Where in `fresh` what is not in `held` yet begins.
        var begin = 0
        var at = 0
        while let step = lines.step(fresh, &at) {
            switch step {
            case .payload(let range):
                let offset = held.count + range.lowerBound - begin
                scanner.feed(UnsafeBufferPointer(rebasing: fresh[range]), offset: offset)
            case .lineEnd: scanner.end()
            case .eventEnd:
                held += fresh[begin..<at]
                begin = at
                let before = out.count
                appendEvent(held[...], to: &out)
                droppedLast = out.count == before && !passesEvent
                held.removeAll(keepingCapacity: true)
                passesEvent = false
                endEvent()
            }
        }
        held += fresh[begin...]
        if passesEvent || held.count > Self.heldLimit {
            passesEvent = true
            droppedLast = false
            out += held
            held.removeAll(keepingCapacity: true)
        }
        return out
    }

    private func appendEvent(_ event: ArraySlice<UInt8>, to out: inout [UInt8]) {
        let findings = scanner.findings
        if passesEvent || !scanner.isWhole {
            out += event
        } else if findings.hasUsage, findings.hasChoices, findings.isChoicesEmpty {
            return
        } else if let range = findings.nullUsage, range.upperBound <= event.endIndex {
            out += event[..<range.lowerBound]
            out += event[range.upperBound...]
        } else {
            out += event
        }
    }

    private mutating func settle(_ findings: AnswerFindings, isWhole: Bool) {
        summary.textBytes += findings.textBytes
        summary.textPieces += findings.textPieces
        summary.id = findings.id ?? summary.id
        summary.model = findings.model ?? summary.model
        summary.images += findings.images
        guard isWhole else { return }
        summary.tier = findings.tier ?? summary.tier
        summary.status = findings.status ?? summary.status
        summary.geo = findings.geo ?? summary.geo
        summary.speed = findings.speed ?? summary.speed
        summary.isBackground = summary.isBackground || findings.isBackground
        summary.hasError = summary.hasError || findings.hasError || findings.type == "error"
        summary.searchCalls = max(summary.searchCalls, findings.searchCalls)
        summary.otherToolCalls = max(summary.otherToolCalls, findings.otherToolCalls)
        usage.take(findings)
        // An empty usage tells nothing, least of all that the call cost nothing.
        guard findings.hasUsage, usage.isTold else { return }
        // Anthropic's first event counts the input; only what follows the text counts that.
        if route.reading != .messages || form == .document || findings.type == "message_delta" {
            usage.isFinal = true
            // Some servers count along with every chunk of a chat; the last of them has nothing else to say.
            let isLast = form == .document || route.reading != .chat || findings.hasChoices && findings.isChoicesEmpty
            summary.isLastWordHeard = summary.isLastWordHeard || isLast
        }
    }

    // MARK: Reading

    /// Of an answer that is made in the background: it uses nothing after them.
    private static let lastStates: Set<String> = ["completed", "failed", "cancelled", "incomplete"]

    private func reading(_ end: AnswerEnd) -> MeterReading {
        var reading = MeterReading()
        reading.model = summary.model
        reading.answer = summary.id
        reading.isLastWordHeard = summary.isLastWordHeard
        reading.serviceTier = summary.tier ?? facts.namedTier
        if route.reading == .messages, summary.speed == "fast" { reading.serviceTier = "fast" }
        reading.region = summary.geo ?? ""
        guard isSuccess, !route.kind.isEmpty else { return reading }
        if route.reading == .none {
            reading.quantities.requests = 1
            return reading
        }
        if !route.hasBody {
            // An answer that is fetched was counted when it was made, unless it was made in the background.
            guard summary.isBackground, usage.isFinal else {
                reading.hasEndedUnused = summary.isBackground && Self.lastStates.contains(summary.status ?? "")
                return reading
            }
        }
        if route.reading == .responses, facts.isBackground || summary.isBackground {
            reading.countsOnceAs = summary.id
            if !usage.isFinal, !summary.hasError {
                reading.isPending = true
                reading.usageEstimated = "in the background: counted when the answer is fetched"
                return reading
            }
        }
        count(into: &reading, end)
        return reading
    }

    private func count(into reading: inout MeterReading, _ end: AnswerEnd) {
        reading.quantities = usage.quantities(route.reading)
        reading.hasOtherCharges = summary.otherToolCalls > 0
        reading.quantities.calls = usage[.searches] ?? summary.searchCalls
        if facts.searchesTheWeb, reading.quantities.calls == 0 {
            reading.quantities.calls = 1
            reading.hasOtherCharges = true
        }
        if usage.isFinal {
            reading.unpricedReason = usage.contradiction(reading.quantities)
            // What was told and not understood counts towards limits all the same.
            if usage.unreadable != nil { estimate(&reading, end) }
        } else {
            estimate(&reading, end)
        }
    }

    /// Counts what passed where the provider told nothing, or not the end.
    private func estimate(_ reading: inout MeterReading, _ end: AnswerEnd) {
        let reason =
            if end != .complete { "the answer was cut off (\(end.rawValue))" } else if summary.hasError {
                "the answer ended in an error"
            } else if usage.unreadable != nil { "the usage cannot be read" } else { "the answer names no usage" }
        switch route.reading {
        case .none: break
        case .speech:
            reading.quantities.characters = facts.characters
            reading.usageEstimated = "\(reason): the request's characters were counted"
        case .transcription where usage[.seconds] != nil: break
        case .transcription:
            reading.quantities.seconds = facts.input.likelySeconds
            reading.usageEstimated = "\(reason): the sound's length was guessed from its size"
        case .images:
            reading.quantities.images = max(summary.images, end == .complete ? 0 : facts.choices)
            reading.usageEstimated = "\(reason): images were counted"
        case .chat, .responses, .embeddings, .messages:
            let told = usage[.inputTokens] != nil
            if !told { reading.quantities.inputTokens = facts.input.likelyTokens }
            reading.quantities.outputTokens = outputSoFar
            reading.usageEstimated =
                "\(reason): output was counted from what passed" + (told ? "" : ", input from the request")
        }
    }
}
