/// A price that a change would make more than five times what it is, or less than a fifth: usually a typing error, dollars
/// read as cents, or a unit forgotten. A second person has to want it.
package struct PriceJump: Hashable, Sendable {
    package var provider: String
    /// The model's name whose price jumps.
    package var model: String
    /// The entry that would price it.
    package var entry: String
    /// Of the price, such as `batch_input`.
    package var name: String
    /// The first UTC day of it; nil: always.
    package var from: Day?
    /// US dollars for the price's unit, in both.
    package var before: DecimalText
    package var after: DecimalText

    /// A price may become so many times another one, or that part of it, without a second person.
    package static let factor: Int128 = 5

    /// Whether two prices are so far apart. Nothing and something are, in either direction.
    static func isJump(from before: DecimalText, to after: DecimalText) -> Bool {
        after.exceeds(before, times: factor) || before.exceeds(after, times: factor)
    }

    /// What jumps between two catalogues: for each name that both price, every price in every period, as it would be
    /// charged. So a pattern that takes over another entry's names, or a provider's general rule, is seen too. A name
    /// without a price has none to jump from.
    package static func all(from before: PriceCatalogue, to after: PriceCatalogue) -> [PriceJump] {
        var jumps: [PriceJump] = []
        let names = Set(before.names + after.names).sorted { ($0.provider, $0.model) < ($1.provider, $1.model) }
        for name in names {
            guard let old = before.match(provider: name.provider, model: name.model)?.entry,
                let new = after.match(provider: name.provider, model: name.model)?.entry
            else { continue }
            let multipliers = (before.batchMultiplier(of: old.provider), after.batchMultiplier(of: new.provider))
            if old.saysTheSame(as: new), multipliers.0 == multipliers.1 { continue }
            jumps += all(from: old, multipliers.0, to: new, multipliers.1).map { jump in
                var jump = jump
                (jump.provider, jump.model, jump.entry) = (name.provider, name.model, new.model)
                return jump
            }
        }
        return jumps
    }

    private static func all(
        from old: ModelPrice, _ oldMultiplier: DecimalText?, to new: ModelPrice, _ newMultiplier: DecimalText?
    ) -> [PriceJump] {
        var jumps: [PriceJump] = []
        for name in Set(old.other.keys).intersection(new.other.keys).sorted() {
            guard let before = old.other[name], let after = new.other[name], isJump(from: before, to: after) else {
                continue
            }
            jumps.append(PriceJump(name, from: nil, before, after))
        }
        var derived: [PriceJump] = []
        for day in Set((old.periods + new.periods).map(\.from)).sorted(by: Day.nothingFirst) {
            guard let then = old.period(on: day), let now = new.period(on: day) else { continue }
            for isLong in [false, true] {
                if isLong, now.longContextAbove == 0 { continue }
                let (then, now) = isLong ? (then.forLongContext, now.forLongContext) : (then, now)
                for tier in PriceTier.all {
                    for token in TokenClass.allCases {
                        let name = tier == .standard ? token.rawValue : "\(tier.rawValue)_\(token.rawValue)"
                        guard let before = then.rate(token, tier: tier, batchMultiplier: oldMultiplier)?.price,
                            let after = now.rate(token, tier: tier, batchMultiplier: newMultiplier)?.price,
                            isJump(from: before, to: after)
                        else { continue }
                        let jump = PriceJump(isLong ? "long_context.\(name)" : name, from: day, before, after)
                        let stated = isLong ? [then.longContext, now.longContext] : [then.prices, now.prices]
                        let isStated = stated.contains { $0[name] != nil }
                        if isStated { jumps.append(jump) } else { derived.append(jump) }
                    }
                }
            }
        }
        // What follows from a price that is named already would only be said again.
        return jumps.isEmpty ? derived : jumps
    }

    private init(_ name: String, from: Day?, _ before: DecimalText, _ after: DecimalText) {
        (provider, model, entry) = ("", "", "")
        (self.name, self.from, self.before, self.after) = (name, from, before, after)
    }
}

extension PriceJump: CustomStringConvertible {
    /// `openai/gpt-4o input: 2.5 → 25 from 2026-11-22`.
    package var description: String {
        "\(provider)/\(model) \(name): \(before.plainText) → \(after.plainText)" + (from.map { " from \($0)" } ?? "")
    }
}

extension ModelPrice {
    /// What is in force on a day; nil: before every dated one.
    func period(on day: Day?) -> PricePeriod? {
        guard let day else { return periods.last { $0.from == nil } }
        return periods.last { $0.covers(day) }
    }
}

extension Day {
    /// nil stands for "always", which begins before every day.
    static func nothingFirst(_ left: Day?, _ right: Day?) -> Bool {
        guard let right else { return false }
        return left.map { $0 < right } ?? true
    }
}

extension DecimalText {
    /// Whether it is more than so many times another one; exact for prices. Neither is negative.
    func exceeds(_ other: DecimalText, times factor: Int128) -> Bool {
        if other.value == 0 { return value > 0 }
        let scale = min(exponent, other.exponent)
        // What leaves 128 bits at the scale of the other one is far larger than it.
        guard let own = rounded(toScale: scale) else { return true }
        guard let others = other.rounded(toScale: scale) else { return false }
        let (product, overflow) = others.multipliedReportingOverflow(by: factor)
        return !overflow && own > product
    }
}

extension PriceCatalogue {
    /// A model's name in a provider's list.
    struct Name: Hashable {
        let provider: String
        let model: String
    }

    /// Every name that an entry is called by or lists; patterns match names that are known once they are met.
    var names: [Name] {
        entries.flatMap { entry in
            (entry.match.filter { ModelPattern($0) == nil } + [entry.model]).map {
                Name(provider: entry.provider, model: $0)
            }
        }
    }
}
