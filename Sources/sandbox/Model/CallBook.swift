import JSON

/// What the calls made here have used, until the program ends: the provider publishes it like the trace's. Chats, completions,
/// responses and embeddings are in it, summed by the minute; other routes and Anthropic's have no usage here. Of models that
/// the organisation has no price for nothing is billed.
actor CallBook {
    private struct Place: Hashable {
        let minute: Int64
        let kind: UsageKind
        let key: String
        let model: String
        let tier: String
    }

    private var minutes: [Place: UsageEntry] = [:]
    /// Far more than a test asks for; then the oldest hour goes.
    private static let most = 100_000

    var entries: [UsageEntry] { Array(minutes.values) }

    /// - Parameter usage: as the answer tells it; nil for one that tells none.
    func add(_ request: ModelRequest, _ route: ModelRoute, usage: JSONValue?, key: APIKey, at time: Int64) {
        guard let usage, let kind = route.countedKind else { return }
        func count(_ names: String...) -> Int64 { names.lazy.compactMap { usage[$0]?.integer }.first ?? 0 }
        let (input, output) = (count("prompt_tokens", "input_tokens"), count("completion_tokens", "output_tokens"))
        let details = usage["prompt_tokens_details"] ?? usage["input_tokens_details"]
        let cached = details?["cached_tokens"]?.integer ?? 0
        // Embeddings have no tiers.
        let tier = kind == .embeddings ? "default" : request.tier
        let place = Place(minute: time / 60, kind: kind, key: key.id, model: request.served, tier: tier)
        let slot = Slot(key: key, model: Organization.model(request.served, tier: tier), tier: tier)
        let entry = UsageEntry(
            kind: kind, time: place.minute * 60,
            values: kind == .embeddings ? [input, 1] : [input, output, cached, 0, 0, 1], dimensions: slot.dimensions,
            isLate: false,
            charges: slot.model.isListed
                ? slot.charges(input: input - cached, cached: cached, output: output) : [])
        if minutes.count >= Self.most, let oldest = minutes.keys.map(\.minute).min() {
            minutes = minutes.filter { $0.key.minute >= oldest + 60 }
        }
        minutes[place] = minutes[place].map { $0.and(entry) } ?? entry
    }
}

extension ModelRoute {
    /// The kind of usage that its calls show in.
    fileprivate var countedKind: UsageKind? {
        switch self {
        case .chat, .completion, .response: .completions
        case .embeddings: .embeddings
        default: nil
        }
    }
}

extension UsageEntry {
    /// Both as one; they differ in nothing but their counts.
    fileprivate func and(_ other: UsageEntry) -> UsageEntry {
        let lines = Dictionary(grouping: charges + other.charges, by: \.lineItem).values.map { same in
            Charge(
                lineItem: same[0].lineItem, quantity: same.reduce(0) { $0 + $1.quantity }, unit: same[0].unit,
                pico: same.reduce(0) { $0 + $1.pico }, isListed: same[0].isListed)
        }
        return UsageEntry(
            kind: kind, time: time, values: zip(values, other.values).map { $0 + $1 }, dimensions: dimensions,
            isLate: false, charges: lines)
    }
}
