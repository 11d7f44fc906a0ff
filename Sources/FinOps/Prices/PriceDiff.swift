import SwiftProtobuf

/// What an imported file changes: one event per model whose prices differ, one per provider whose general rules do.
package enum PriceDiff {
    /// - Parameters:
    ///   - removingMissing: whether models of the file's providers that the file no longer has are removed; otherwise they
    ///     stay as they are, so that a file may hold only the overrides.
    ///   - reason: what the person who imports says; kept in every event.
    /// - Returns: events in the order of the file; none if it says nothing new.
    package static func events(
        from current: PriceCatalogue, to file: PriceFile, reason: String, removingMissing: Bool = false
    ) -> [FinOpsEvent] {
        var events: [FinOpsEvent] = []
        for entry in file.entries {
            if let known = current.entry(provider: entry.provider, model: entry.model), known.saysTheSame(as: entry) {
                continue
            }
            events.append(.priceChanged(entry.event(reason: reason)))
        }
        if removingMissing { events += removals(from: current, to: file, reason: reason) }
        for (provider, defaults) in file.defaults.sorted(by: { $0.key < $1.key })
        where current.defaults(of: provider) != defaults {
            events.append(
                .priceDefaultsChanged(
                    .with {
                        $0.provider = provider
                        $0.defaults = defaults.sorted { $0.key < $1.key }.map { name, text in
                            .with {
                                $0.name = name
                                $0.price = text
                            }
                        }
                        $0.version = file.asOf
                        $0.reason = reason
                    }))
        }
        return events
    }

    private static func removals(from current: PriceCatalogue, to file: PriceFile, reason: String) -> [FinOpsEvent] {
        let providers = Set(file.entries.map(\.provider))
        let kept = Set(file.entries.map { [$0.provider, $0.model] })
        return current.entries.filter { providers.contains($0.provider) && !kept.contains([$0.provider, $0.model]) }
            .map { entry in
                .priceChanged(
                    .with {
                        $0.provider = entry.provider
                        $0.model = entry.model
                        $0.version = file.asOf
                        $0.reason = reason
                        $0.removed = true
                    })
            }
    }
}
