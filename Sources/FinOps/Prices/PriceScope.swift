import EventLog

/// Which rows and calls a correction reaches: those that an entry prices, by the UTC day of their price.
package struct PriceScope: Hashable, Sendable {
    /// The price list's.
    package var provider: String
    /// The entry's; nil: all of the provider.
    package var model: String?
    /// nil: no bound.
    package var from: Day?
    /// The last day; nil: no bound.
    package var through: Day?

    package init(provider: String, model: String?, from: Day?, through: Day?) {
        self.provider = provider
        self.model = model
        self.from = from
        self.through = through
    }

    /// - Returns: nil for a day that is none, which no writer of ours lets through.
    package init?(_ started: WirePriceCorrectionStarted) {
        let days = (Day(started.from), Day(started.to))
        guard started.hasFrom == (days.0 != nil), started.hasTo == (days.1 != nil) else { return nil }
        self.init(
            provider: started.provider, model: started.model.isEmpty ? nil : started.model, from: days.0,
            through: days.1)
    }

    package func covers(_ day: Day) -> Bool { (from.map { $0 <= day } ?? true) && (through.map { day <= $0 } ?? true) }

    /// Whether a model's name, as its provider says it, is priced by what this is about.
    /// - Parameter provider: the price list's.
    package func covers(provider: String, model name: String, in catalogue: PriceCatalogue) -> Bool {
        guard let entry = catalogue.match(provider: provider, model: name)?.entry else { return false }
        return entry.provider == self.provider && (model == nil || entry.model == model)
    }
}

extension WirePriceCorrectionStarted {
    package init(id: String, _ scope: PriceScope, reason: String) {
        self.init()
        self.id = id
        provider = scope.provider
        model = scope.model ?? ""
        if let from = scope.from { self.from = from.description }
        if let through = scope.through { to = through.description }
        self.reason = reason
    }
}
