import EventLog

/// What other prices would make of consumption that is known: costs as they stand beside costs as they would be.
package struct PriceEffect {
    /// The sums of one model; metered rows and calls apart, since both may say the same consumption.
    package struct Line: Hashable, Sendable {
        package var provider: String
        package var model: String
        /// Calls through a gateway rather than metered rows.
        package var isCalls: Bool
        /// Rows or calls of the model.
        package var count: Int64 = 0
        /// Of these, those whose cost would be another one.
        package var affected: Int64 = 0
        /// Rows or calls that have no price now, and those that would have none then.
        package var unpricedNow: Int64 = 0
        package var unpricedThen: Int64 = 0
        /// Nano-dollars, in both.
        package var now: Int128 = 0
        package var then: Int128 = 0

        package init(provider: String, model: String, isCalls: Bool) {
            self.provider = provider
            self.model = model
            self.isCalls = isCalls
        }
    }

    /// From when on the new prices are looked at.
    package enum View: Hashable, Sendable {
        /// As if they had been in force: a price that begins later counts from the first row on.
        case asIfInForce
        /// On the days of a correction, and only there.
        case corrected(PriceScope)
    }

    private struct Subject: Hashable {
        let provider: String
        let model: String
    }

    private let view: View
    private let before: PriceCatalogue
    private var pricing: UsagePricing
    private var subjects: [Subject: Change?] = [:]
    private var sums: [Subject: (rows: Line, calls: Line)] = [:]

    /// How a model's prices change.
    private struct Change {
        /// The first day on which they differ; nil: always.
        let from: Day?
    }

    package init(from before: PriceCatalogue, to after: PriceCatalogue, _ view: View) {
        self.view = view
        self.before = before
        pricing = UsagePricing(after)
    }

    /// By provider and model, rows before calls; models of which nothing was met are not among them.
    package var lines: [Line] {
        sums.values.flatMap { [$0.rows, $0.calls] }.filter { $0.count > 0 }.sorted {
            ($0.provider, $0.model, $0.isCalls ? 1 : 0) < ($1.provider, $1.model, $1.isCalls ? 1 : 0)
        }
    }

    /// Takes a metered row as it was last stated.
    package mutating func add(_ row: WireUsageRow) {
        let subject = Subject(provider: row.provider, model: row.model)
        guard row.hasModel, let day = day(subject, of: row.bucketStart) else { return }
        var moved = row
        moved.bucketStart = day.utcStart.seconds
        let then = moved.priced(by: &pricing)
        var line = sums[subject, default: Self.none(subject)].rows
        line.add(now: row.hasCost ? row.cost.nanos : nil, then: then.hasCost ? then.cost.nanos : nil)
        sums[subject, default: Self.none(subject)].rows = line
    }

    /// Takes what is said about calls, each event once and in the order of the log.
    package mutating func add(_ event: FinOpsEvent) {
        switch event {
        case .callRecorded(let call): add(call, now: call.hasCost ? call.cost.nanos : nil, sign: 1)
        case .callRepriced(let repriced):
            let call = repriced.call
            add(call, now: repriced.hasPreviousCost ? repriced.previousCost.nanos : nil, sign: -1)
            add(call, now: call.hasCost ? call.cost.nanos : nil, sign: 1)
        default: break
        }
    }

    private mutating func add(_ call: WireCallRecorded, now: Int64?, sign: Int64) {
        let subject = Subject(provider: PriceCatalogue.listed(call.provider), model: call.model)
        if call.unpriceable || (call.hasCost && call.priceVersion.isEmpty) { return }
        guard let day = day(subject, of: call.started / 1_000_000) else { return }
        var moved = call
        moved.started = day.utcStart.microseconds
        var then: Int64?
        if case .priced(let price) = pricing.price(moved) { then = price.cost.nanos }
        var line = sums[subject, default: Self.none(subject)].calls
        line.add(now: now, then: then, sign: sign)
        sums[subject, default: Self.none(subject)].calls = line
    }

    private static func none(_ subject: Subject) -> (rows: Line, calls: Line) {
        (
            Line(provider: subject.provider, model: subject.model, isCalls: false),
            Line(provider: subject.provider, model: subject.model, isCalls: true)
        )
    }

    /// The day whose prices count for what was used at a second; nil where nothing would change.
    private mutating func day(_ subject: Subject, of second: Int64) -> Day? {
        let day = Day(utc: Timestamp(seconds: second))
        if case .corrected(let scope) = view {
            let isCovered = scope.covers(provider: subject.provider, model: subject.model, in: pricing.catalogue)
            return scope.covers(day) && isCovered ? day : nil
        }
        guard let change = change(subject) else { return nil }
        return change.from.map { max($0, day) } ?? day
    }

    private mutating func change(_ subject: Subject) -> Change? {
        if let known = subjects[subject] { return known }
        let old = before.match(provider: subject.provider, model: subject.model)?.entry
        let new = pricing.catalogue.match(provider: subject.provider, model: subject.model)?.entry
        let change = Self.change(from: old, to: new)
        let multiplier = new.flatMap { pricing.catalogue.batchMultiplier(of: $0.provider) }
        let isSame = change == nil && multiplier == old.flatMap { before.batchMultiplier(of: $0.provider) }
        subjects[subject] = .some(isSame ? nil : change ?? Change(from: nil))
        return isSame ? nil : change ?? Change(from: nil)
    }

    private static func change(from old: ModelPrice?, to new: ModelPrice?) -> Change? {
        guard let old, let new, old.other == new.other else {
            return old == nil && new == nil ? nil : Change(from: nil)
        }
        let days = Set((old.periods + new.periods).map(\.from)).sorted(by: Day.nothingFirst)
        func says(_ period: PricePeriod?) -> PricePeriod? {
            var period = period
            period?.from = nil
            return period
        }
        return days.first { says(old.period(on: $0)) != says(new.period(on: $0)) }.map { Change(from: $0) }
    }
}

extension PriceEffect.Line {
    fileprivate mutating func add(now: Int64?, then: Int64?, sign: Int64 = 1) {
        count += sign
        if now != then { affected += sign }
        if now == nil { unpricedNow += sign }
        if then == nil { unpricedThen += sign }
        self.now += Int128(now ?? 0) * Int128(sign)
        self.then += Int128(then ?? 0) * Int128(sign)
    }
}
