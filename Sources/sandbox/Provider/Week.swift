import JSON

/// What one call of the trace is to the provider: an entry of a usage kind.
struct UsageEntry: Sendable {
    let kind: UsageKind
    /// Unix seconds.
    let time: Int64
    /// In the order of `kind.measures`.
    let values: [Int64]
    let dimensions: [Dimension: JSONValue]
    /// Published a day later than the others: that is how a restatement comes about.
    let isLate: Bool
    let charges: [Charge]
}

/// What the provider bills for an entry under one line item.
struct Charge: Sendable {
    let lineItem: String
    let quantity: Int64
    let unit: String?
    /// Pico-dollars, 10⁻¹² USD.
    let pico: Int64
    /// Whether FinOps' price list could price it from the usage.
    let isListed: Bool
}

/// The trace, spread over one Monday–Sunday week of the business zone. The whole rule; nothing in it is random:
///
/// - Zone: UTC+9. Hour h of the week (0 … 167) has a weight by its time of day: on weekdays 0–6 h 1, 7–8 h 3, 9–11 h 8,
///   12 h 5, 13–17 h 9, 18–20 h 4, 21–23 h 2; on Saturday and Sunday 0–7 h 1, 8–22 h 2, 23 h 1.
/// - With N calls and a sum of weights W, call i (from 0, in the trace's order) lies at place i·W of N·W; the hour whose
///   share of the places holds it is its hour, and its second follows its place within that share.
/// - Key, model, batch and tier: slot i mod 20 of `Organization.slots`; every 500th call is the unlisted model.
/// - Input is ContextTokens, output GeneratedTokens. Of models that cache, ⌊ContextTokens ÷ 256⌋ · 128 input tokens are
///   cached when ContextTokens ≥ 1,024. Embeddings have no output.
/// - The restated day: calls of Wednesday 10–14 h with ⌊i ÷ 20⌋ odd are published 24 hours later than they would be.
/// - `allKinds`: every 97th call also counts once under one of the eight other kinds, in turn.
struct Week: Sendable {
    /// Unix seconds of its Monday 00:00 in the business zone.
    let start: Int64
    /// In the order of time.
    let entries: [UsageEntry]

    static let zoneOffset: Int64 = 9 * 3_600
    static let lateBy: Int64 = 86_400

    init(monday: CivilDay, calls: [TraceCall], allKinds: Bool) {
        start = monday.utcStart - Self.zoneOffset
        entries = Self.spread(calls, from: start, allKinds: allKinds)
    }

    private static func weight(ofHour hour: Int) -> Int {
        let weekend = hour >= 120
        switch hour % 24 {
        case 0...6: return 1
        case 7: return weekend ? 1 : 3
        case 8: return weekend ? 2 : 3
        case 9...11: return weekend ? 2 : 8
        case 12: return weekend ? 2 : 5
        case 13...17: return weekend ? 2 : 9
        case 18...20: return weekend ? 2 : 4
        case 21...22: return 2
        default: return weekend ? 1 : 2
        }
    }

    private static func spread(_ calls: [TraceCall], from start: Int64, allKinds: Bool) -> [UsageEntry] {
        let weights = (0..<168).map(weight(ofHour:))
        let total = weights.reduce(0, +)
        var hour = 0
        var before = 0
        var entries: [UsageEntry] = []
        for (index, call) in calls.enumerated() {
            while index * total >= calls.count * (before + weights[hour]) {
                before += weights[hour]
                hour += 1
            }
            let second = 3_600 * (index * total - calls.count * before) / (calls.count * weights[hour])
            let time = start + Int64(hour * 3_600 + second)
            let late = (58..<62).contains(hour) && index / 20 % 2 == 1
            entries.append(entry(of: call, index: index, time: time, late: late))
            if allKinds, index % 97 == 96 {
                entries.append(.other(Self.otherKinds[index / 97 % Self.otherKinds.count], call, index, time))
            }
        }
        return entries
    }

    private static let otherKinds = UsageKind.allCases.filter { $0 != .completions && $0 != .embeddings }

    private static func entry(of call: TraceCall, index: Int, time: Int64, late: Bool) -> UsageEntry {
        let slot = Organization.slot(ofCall: index)
        let isEmbedding = slot.model == Organization.embedding
        let cached = slot.model.caches && call.contextTokens >= 1_024 ? call.contextTokens / 256 * 128 : 0
        let output = isEmbedding ? 0 : call.generatedTokens
        let kind: UsageKind = isEmbedding ? .embeddings : .completions
        let values = isEmbedding ? [call.contextTokens, 1] : [call.contextTokens, output, cached, 0, 0, 1]
        return UsageEntry(
            kind: kind, time: time, values: values, dimensions: slot.dimensions, isLate: late,
            charges: slot.charges(input: call.contextTokens - cached, cached: cached, output: output))
    }
}

extension Slot {
    var dimensions: [Dimension: JSONValue] {
        [
            .project: .string(key.project), .apiKey: .string(key.id), .model: .string(model.name),
            .batch: .bool(batch), .tier: .string(tier),
            .user: .string("user_" + key.project.dropFirst("proj_".count)),
        ]
    }

    /// Line items as the bill words them: `flex | gpt-5-mini-2025-08-07, cached input`.
    func charges(input: Int64, cached: Int64, output: Int64) -> [Charge] {
        let prefix = batch ? "batch | " : tier == "default" ? "" : "\(tier) | "
        func charge(_ word: String, _ tokens: Int64, _ price: Int64) -> Charge {
            Charge(
                lineItem: "\(prefix)\(model.name), \(word)", quantity: tokens, unit: "tokens", pico: tokens * price,
                isListed: model.isListed)
        }
        var charges = [charge("input", input, model.price.input)]
        if model.caches || cached > 0 { charges.append(charge("cached input", cached, model.price.cachedInput)) }
        if model.price.output > 0 { charges.append(charge("output", output, model.price.output)) }
        return charges
    }
}

extension UsageEntry {
    /// A use of one of the kinds that the trace itself does not have. Only web searches are billed, 0.01 USD each.
    static func other(_ kind: UsageKind, _ call: TraceCall, _ index: Int, _ time: Int64) -> UsageEntry {
        let key = Organization.keys[index % Organization.keys.count]
        var dimensions: [Dimension: JSONValue] = [.project: .string(key.project), .apiKey: .string(key.id)]
        var values: [Int64] = [1]
        var charges: [Charge] = []
        switch kind {
        case .moderations:
            (dimensions[.model], values) = ("omni-moderation-2024-09-26", [call.contextTokens, 1])
        case .images:
            (dimensions[.model], dimensions[.size]) = ("dall-e-3", "1024x1024")
            (dimensions[.source], values) = ("image.generation", [2, 1])
        case .audioSpeeches: (dimensions[.model], values) = ("tts-1", [call.generatedTokens * 4, 1])
        case .audioTranscriptions: (dimensions[.model], values) = ("whisper-1", [call.generatedTokens, 1])
        case .vectorStores: values = [call.contextTokens << 20]
        case .fileSearchCalls: dimensions[.vectorStore] = "vs_handbook"
        case .webSearchCalls:
            (dimensions[.model], dimensions[.contextLevel]) = ("gpt-4.1-2025-04-14", "medium")
            values = [1, 2]
            charges = [
                Charge(
                    lineItem: "web search tool calls", quantity: 2, unit: nil, pico: 20_000_000_000, isListed: false)
            ]
        case .completions, .embeddings, .codeInterpreterSessions: break
        }
        return UsageEntry(
            kind: kind, time: time, values: values, dimensions: dimensions, isLate: false, charges: charges)
    }
}
