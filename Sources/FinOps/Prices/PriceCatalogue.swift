/// The prices in force: a fold of price events over the seed that is compiled in. A value: whoever prices with it names
/// the version it used.
package struct PriceCatalogue: Sendable {
    /// An entry and when it came: of two that match equally well the later one counts.
    private struct Listed: Sendable {
        var entry: ModelPrice
        var order: Int
    }

    private struct Pattern: Sendable {
        let pattern: ModelPattern
        let model: String
        let order: Int
    }

    private struct Shelf: Sendable {
        var entries: [String: Listed] = [:]
        var defaults: [String: String] = [:]
        var literals: [String: String] = [:]
        /// Best first.
        var patterns: [Pattern] = []
    }

    private var shelves: [String: Shelf] = [:]
    private var listed = 0

    /// Prices nothing.
    package static let empty = PriceCatalogue()

    /// The seed: what is known without any event.
    package static let seed = PriceCatalogue(PriceFile.seed)

    private init() {}

    /// A catalogue of one file.
    package init(_ file: PriceFile) {
        for entry in file.entries { list(entry) }
        for (provider, defaults) in file.defaults { shelves[provider, default: Shelf()].defaults = defaults }
        for provider in shelves.keys { index(provider) }
    }

    /// All providers', by provider and model.
    package var entries: [ModelPrice] {
        shelves.values.flatMap { $0.entries.values.map(\.entry) }.sorted {
            ($0.provider, $0.model) < ($1.provider, $1.model)
        }
    }

    /// The entry of exactly that model; `match` also knows patterns and suffixes.
    package func entry(provider: String, model: String) -> ModelPrice? { shelves[provider]?.entries[model]?.entry }

    /// A provider's general rules by name.
    package func defaults(of provider: String) -> [String: String] { shelves[provider]?.defaults ?? [:] }

    /// What a provider's standard price is multiplied by where no batch price is listed; nil if it has no such rule.
    func batchMultiplier(of provider: String) -> DecimalText? {
        shelves[provider]?.defaults["batch_multiplier"].flatMap(PriceText.price)
    }

    // MARK: Fold

    /// Takes in a change of prices; other events change nothing.
    package mutating func evolve(_ event: FinOpsEvent) { evolve(CollectionOfOne(event)) }

    /// Many at once: the index over names is made once per provider.
    package mutating func evolve(_ events: some Sequence<FinOpsEvent>) {
        var touched: Set<String> = []
        for event in events {
            apply(event)
            if case .priceChanged(let change) = event { touched.insert(change.provider) }
        }
        for provider in touched { index(provider) }
    }

    private mutating func apply(_ event: FinOpsEvent) {
        switch event {
        case .priceChanged(let change):
            if change.removed {
                shelves[change.provider]?.entries[change.model] = nil
            } else if let entry = ModelPrice(change) {
                list(entry)
            }
        case .priceDefaultsChanged(let change):
            shelves[change.provider, default: Shelf()].defaults = Dictionary(
                change.defaults.map { ($0.name, $0.price) }, uniquingKeysWith: { _, last in last })
        default: break
        }
    }

    private mutating func list(_ entry: ModelPrice) {
        listed += 1
        shelves[entry.provider, default: Shelf()].entries[entry.model] = Listed(entry: entry, order: listed)
    }

    private mutating func index(_ provider: String) {
        guard var shelf = shelves[provider] else { return }
        shelf.literals = [:]
        shelf.patterns = []
        for listed in shelf.entries.values.sorted(by: { $0.order < $1.order }) {
            for name in listed.entry.match {
                if let pattern = ModelPattern(name) {
                    shelf.patterns.append(
                        Pattern(pattern: pattern, model: listed.entry.model, order: listed.order))
                } else {
                    shelf.literals[name] = listed.entry.model
                }
            }
        }
        shelf.patterns.sort { ($0.pattern.literalCount, $0.order) > ($1.pattern.literalCount, $1.order) }
        shelves[provider] = shelf
    }

    // MARK: Matching

    /// An entry and whether its name was arrived at by dropping a suffix or asking another provider's list.
    package struct Match: Hashable, Sendable {
        package let entry: ModelPrice
        /// False when the provider's own list names the model or matches it by a pattern.
        package let isEstimated: Bool
    }

    /// The entry that prices a model's name: its own provider's list, then that without suffixes, then the same with the
    /// provider it falls back to.
    package func match(provider: String, model: String) -> Match? {
        let name = model.trimmed
        var asked: Set<String> = []
        var next: String? = provider
        while let provider = next, asked.insert(provider).inserted {
            var candidate: String? = name
            while let current = candidate {
                if let entry = listedEntry(provider: provider, name: current) {
                    return Match(entry: entry, isEstimated: asked.count > 1 || current != name)
                }
                candidate = ModelSuffix.dropped(from: current)
            }
            next = shelves[provider]?.defaults["fallback_provider"]
        }
        return nil
    }

    private func listedEntry(provider: String, name: String) -> ModelPrice? {
        guard let shelf = shelves[provider] else { return nil }
        if let model = shelf.literals[name] { return shelf.entries[model]?.entry }
        return shelf.patterns.first { $0.pattern.matches(name) }.flatMap { shelf.entries[$0.model]?.entry }
    }
}

extension String {
    /// Without white space at either end.
    fileprivate var trimmed: String {
        let tail = drop(while: \.isWhitespace)
        return String(tail[..<(tail.lastIndex { !$0.isWhitespace }.map(tail.index(after:)) ?? tail.startIndex)])
    }
}
