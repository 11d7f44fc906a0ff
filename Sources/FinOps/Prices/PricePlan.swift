/// What becomes of changes of prices: what jumps waits for a second person, the rest is taken.
package struct PricePlan: Sendable {
    package private(set) var taken: [FinOpsEvent]
    package private(set) var proposed: [FinOpsEvent]
    package let jumps: [PriceJump]

    /// - Parameters:
    ///   - changes: `price.changed` and `price.defaults-changed`.
    ///   - catalogue: what they change.
    package init(_ changes: [FinOpsEvent], of catalogue: PriceCatalogue) {
        jumps = PriceJump.all(from: catalogue, to: catalogue.with(changes))
        (taken, proposed) = (changes, [])
        if jumps.isEmpty { return }
        let models = Set(jumps.flatMap { [[$0.provider, $0.model], [$0.provider, $0.entry]] })
        hold { change in models.contains([change.provider, change.model ?? ""]) }
        // A general rule, or an entry that goes and leaves its names to another one, concerns more than one model.
        let providers = Set(jumps.map(\.provider))
        if jumps(from: catalogue) { hold { providers.contains($0.provider) } }
        if jumps(from: catalogue) { hold { _ in true } }
    }

    private func jumps(from catalogue: PriceCatalogue) -> Bool {
        !PriceJump.all(from: catalogue, to: catalogue.with(taken)).isEmpty
    }

    private mutating func hold(_ isHeld: ((provider: String, model: String?)) -> Bool) {
        var kept: [FinOpsEvent] = []
        for event in taken {
            if let subject = event.priceSubject, isHeld(subject) { proposed.append(event) } else { kept.append(event) }
        }
        taken = kept
    }
}

extension PriceCatalogue {
    package func with(_ changes: [FinOpsEvent]) -> PriceCatalogue {
        var changed = self
        changed.evolve(changes)
        return changed
    }

    /// Names what the catalogue says of a model, or of a provider's general rules (`model` nil): equal while it says the
    /// same. Empty where it says nothing.
    func basis(provider: String, model: String?) -> String {
        if let model { return entry(provider: provider, model: model)?.version ?? "" }
        return defaults(of: provider).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\n")
    }
}

extension FinOpsEvent {
    /// What a change of prices is about; the model is nil for a provider's general rules. nil for other events.
    package var priceSubject: (provider: String, model: String?)? {
        switch self {
        case .priceChanged(let change): (change.provider, change.model)
        case .priceDefaultsChanged(let change): (change.provider, nil)
        default: nil
        }
    }
}
