package import FinOps

/// How the exchange with an upstream ended. The same words as in `call.recorded`.
package enum AnswerEnd: String, Hashable, Sendable {
    case complete
    case clientGone = "client-gone"
    /// The request went on before it was whole, and then came too slowly or was not what it began as.
    case unfinished = "request-unfinished"
    case upstreamCut = "upstream-cut"
    case timedOut = "timed-out"
    case stopped = "gateway-stopped"
    /// A kill of the gateway cut it short; its next start tells of it.
    case killed = "gateway-killed"
    case unreachable
}

/// What one attempt used.
package struct MeterReading: Hashable, Sendable {
    /// Empty where nothing is charged: errors, and routes without usage.
    package internal(set) var quantities = WireQuantities()
    /// As the answer names it; where it names none, as others have named it, or nil.
    package var model: String?
    /// The tier used, or asked for where the answer names none; empty for neither.
    package internal(set) var serviceTier = ""
    /// The region that the answer names as the place of inference; empty without one.
    package internal(set) var region = ""
    /// Why the quantities are counted here; empty: the provider told them.
    package internal(set) var usageEstimated = ""
    /// Why no price can be put on the quantities, however much is known about prices; empty: nothing stands against it.
    package internal(set) var unpricedReason = ""
    /// Tools of the provider were used that cost something and are not among the quantities.
    package internal(set) var hasOtherCharges = false
    /// The provider's id of the answer.
    package internal(set) var answer: String?
    /// An answer that can be fetched again, and would be counted again: what was used counts once under this name.
    package internal(set) var countsOnceAs: String?
    /// The answer is made in the background: what it uses is not known yet, and may be up to the call's bound.
    package internal(set) var isPending = false
    /// An answer made in the background has ended, and no use is told of it.
    package internal(set) var hasEndedUnused = false
    /// The provider has said what was used, which it does at the end: nothing but the end itself can be missing.
    package internal(set) var isLastWordHeard = false

    init() {}

    /// Whether it counts anything.
    package var isUse: Bool { quantities != WireQuantities() }

    /// It was counted before.
    package mutating func forgetUse() {
        quantities = WireQuantities()
        (usageEstimated, unpricedReason, hasOtherCharges) = ("", "", false)
    }

    /// What `write(to:)` wrote.
    package init(of call: WireCallRecorded) {
        quantities = call.quantities
        model = call.model.isEmpty ? nil : call.model
        (serviceTier, region, unpricedReason) = (call.serviceTier, call.region, call.unpricedReason)
        (usageEstimated, hasOtherCharges) = (call.usageEstimated, call.otherCharges)
        countsOnceAs = call.countsOnce.isEmpty ? nil : call.countsOnce
    }

    /// Writes what the provider has told into a record, without its price.
    package func write(to call: inout WireCallRecorded) {
        call.quantities = quantities
        call.model = model ?? ""
        (call.serviceTier, call.region, call.unpricedReason) = (serviceTier, region, unpricedReason)
        (call.usageEstimated, call.otherCharges) = (usageEstimated, hasOtherCharges)
        call.countsOnce = countsOnceAs ?? ""
    }

    /// Of an attempt to which no answer began.
    /// - Parameter isSent: whether the request was on its way to the upstream: what never left costs nothing.
    package static func unanswered(
        _ route: Route, _ facts: RequestFacts, _ end: AnswerEnd, isSent: Bool
    ) -> MeterReading {
        var reading = MeterReading()
        reading.serviceTier = facts.namedTier
        guard isSent, [.clientGone, .timedOut, .stopped].contains(end) else { return reading }
        reading.quantities = useOfRequest(route, facts)
        guard reading.isUse else { return reading }
        reading.isPending = route.answersLater(facts)
        reading.usageEstimated = "no answer (\(end.rawValue)): what was asked for was counted"
        return reading
    }

    /// What a request alone is counted with: one that has reached the provider may be charged although nobody waited for its answer.
    package static func useOfRequest(_ route: Route, _ facts: RequestFacts) -> WireQuantities {
        var quantities = WireQuantities()
        guard route.hasBody, route.reading != .none else { return quantities }
        quantities.requests = 1
        switch route.reading {
        case .none: break
        case .speech: quantities.characters = facts.characters
        case .transcription: quantities.seconds = facts.input.likelySeconds
        case .images: quantities.images = facts.choices
        case .chat, .responses, .embeddings, .messages: quantities.inputTokens = facts.input.likelyTokens
        }
        return quantities
    }

    /// Of an attempt that the end of its gateway cut short.
    /// - Parameters:
    ///   - begun: as the attempt was written down when it began: with `useOfRequest`, and with a bound where the answer is made
    ///     in the background, then with its id.
    ///   - isSent: whether the request was on its way to the upstream.
    ///   - status: the upstream's; 0 if no answer had begun.
    ///   - output: tokens that had passed.
    package static func cutShort(
        _ begun: WireCallRecorded, isSent: Bool, status: Int, output: Int64
    ) -> MeterReading {
        var reading = MeterReading()
        reading.serviceTier = begun.serviceTier
        guard isSent, begun.quantities != WireQuantities(), status == 0 || (200..<300).contains(status) else {
            return reading
        }
        reading.quantities = begun.quantities
        reading.quantities.outputTokens = max(0, output)
        reading.isPending = begun.hasBound
        reading.usageEstimated =
            "the gateway was killed: what was asked for was counted, and of the output what passed"
        reading.answer = begun.pendingAnswer.isEmpty ? nil : begun.pendingAnswer
        return reading
    }
}

extension RequestFacts {
    /// The tier asked for; empty where that is left to the provider.
    package var namedTier: String { serviceTier.map { $0 == "auto" ? "" : $0 } ?? "" }
}

/// The counts that an answer's usage holds, as the provider names them.
struct ReportedUsage {
    private var counts: [Int64?]
    /// Whether it is the last word: some streams begin with a first one.
    var isFinal = false
    var unreadable: String?
    /// Any count at all was named, readable or not.
    var isTold: Bool { unreadable != nil || counts.contains { $0 != nil } }

    private static let first = AnswerPlace.inputTokens.rawValue

    init() { counts = Array(repeating: nil, count: Int(AnswerPlace.seconds.rawValue - Self.first) + 1) }

    subscript(_ place: AnswerPlace) -> Int64? { counts[Int(place.rawValue - Self.first)] }

    /// Later counts take the place of earlier ones: in streams they are cumulative.
    mutating func take(_ findings: AnswerFindings) {
        for index in counts.indices {
            guard let place = AnswerPlace(rawValue: Self.first + UInt8(index)), let count = findings[place] else {
                continue
            }
            counts[index] = count
        }
        unreadable = unreadable ?? findings.unreadable
    }

    /// In the one form that all providers share: `inputTokens` is all input.
    func quantities(_ reading: Route.Reading) -> WireQuantities {
        var quantities = WireQuantities()
        quantities.requests = 1
        quantities.outputTokens = self[.outputTokens] ?? 0
        quantities.reasoningTokens = self[.reasoning] ?? 0
        if reading == .messages {
            let (read, written) = (self[.cacheRead] ?? 0, self[.cacheCreated] ?? self[.write1h] ?? 0)
            quantities.inputTokens = (self[.inputTokens] ?? 0) + read + written
            quantities.cachedInputTokens = read
            quantities.cacheWriteTokens = written
            quantities.cacheWrite1HTokens = self[.write1h] ?? 0
            return quantities
        }
        quantities.inputTokens = self[.inputTokens] ?? 0
        quantities.cachedInputTokens = self[.cached] ?? 0
        quantities.cacheWriteTokens = self[.cacheWrite] ?? 0
        quantities.audioInputTokens = self[.audioInput] ?? 0
        quantities.imageInputTokens = self[.imageInput] ?? 0
        quantities.cachedAudioInputTokens = self[.cachedAudio] ?? 0
        quantities.cachedImageInputTokens = self[.cachedImage] ?? 0
        quantities.audioOutputTokens = self[.audioOutput] ?? 0
        quantities.imageOutputTokens = self[.imageOutput] ?? (reading == .images ? quantities.outputTokens : 0)
        if self[.inputTokens] == nil { quantities.seconds = self[.seconds] ?? 0 }
        return quantities
    }

    /// Why the counts contradict each other; empty if they do not.
    func contradiction(_ quantities: WireQuantities) -> String {
        if let unreadable { return "the usage cannot be read: \(unreadable) is no whole number" }
        if let total = self[.totalTokens], total != quantities.inputTokens + quantities.outputTokens {
            return "inconsistent counts: the total \(total) is not input \(quantities.inputTokens) + output "
                + "\(quantities.outputTokens)"
        }
        if quantities.reasoningTokens > quantities.outputTokens {
            return "inconsistent counts: reasoning \(quantities.reasoningTokens) exceeds output "
                + "\(quantities.outputTokens)"
        }
        return ""
    }
}
