import EventLog
import SwiftProtobuf

/// What a reader of an alert asks next: how it compares with the window before, where it is heading, and what grew. One pass
/// over the pages answers it for all crossings of a commit.
struct CrossingDetails {
    private struct Question: Hashable {
        let scope: Int
        let window: CostWindow
    }

    private struct Answer {
        /// By the number of the cause.
        var now: [Int: Int128] = [:]
        var before: [Int: Int128] = [:]
        var bases: Set<CostSeries.Basis> = []
        var latest: (hour: Int64, team: String)?

        /// One word for what the cost rests on.
        var basis: String { bases.count > 1 ? "mixed" : (bases.first ?? .metered).rawValue }

        mutating func add(_ part: Part, cause: Int, _ basis: CostSeries.Basis, team: String?) {
            if part.hasBefore { before[cause, default: 0] += part.before }
            guard let hour = part.latestHour else { return }
            now[cause, default: 0] += part.now
            bases.insert(basis)
            if let team, (hour, team) > (latest?.hour ?? .min, latest?.team ?? "") { latest = (hour, team) }
        }
    }

    /// What the hours of one row, with one owner, add to an answer.
    private struct Part {
        let owner: ScopeTable.OwnerNumbers?
        var now: Int128 = 0
        var before: Int128 = 0
        var hasBefore = false
        /// Of those in the window itself; nil if there is none.
        var latestHour: Int64?

        mutating func add(_ nanos: Int64, at hour: Int64, isNow: Bool) {
            if isNow {
                now += Int128(nanos)
                latestHour = hour
            } else {
                before += Int128(nanos)
                hasBefore = true
            }
        }
    }

    private let table: SeriesTable
    private var answers: [Question: Answer] = [:]
    /// Unix seconds: how far usage of a window is known; nil where none is.
    private var usageThrough: [CostWindow: Int64] = [:]

    init(_ crossings: [Crossing], _ pages: [Int: CostPage], _ table: SeriesTable, _ scopes: inout ScopeTable) {
        self.table = table
        let periods = Dictionary(grouping: crossings) { Period(window: $0.window, zone: $0.threshold.zone) }
        for (period, crossings) in periods {
            guard let calendar = crossings.first?.threshold.calendar else { continue }
            let previous = period.window.previous(calendar)
            look(at: period.window, previous, Set(crossings.map(\.scope)), pages, &scopes)
        }
    }

    /// Zones may agree on a window and not on the one before it.
    private struct Period: Hashable {
        let window: CostWindow
        let zone: String
    }

    private mutating func look(
        at window: CostWindow, _ previous: CostWindow, _ wanted: Set<Int>, _ pages: [Int: CostPage],
        _ scopes: inout ScopeTable
    ) {
        // Usage of the day after says that this window's is known to its end.
        let known = (window.utcDays.lowerBound...window.utcDays.upperBound + 1).compactMap { pages[$0]?.usageThrough }
        if let through = known.max(), through > window.start.seconds {
            usageThrough[window] = min(through, window.end.seconds)
        }
        let elapsed = (usageThrough[window] ?? window.start.seconds) - window.start.seconds
        let compared = previous.start.seconds..<min(previous.start.seconds + elapsed, previous.end.seconds)
        for number in previous.utcDays.lowerBound...window.utcDays.upperBound {
            let start = Day(number: number).utcStart.seconds
            // Most rows are none of the crossings' business, and there may be thousands.
            for row in pages[number]?.rows(table) ?? [] where scopes.counts(row.series, for: wanted, table) {
                var part = Part(owner: nil)
                for (hour, nanos) in zip(stride(from: start, to: .max, by: 3_600), row.nanos) where nanos != 0 {
                    let isNow = window.contains(hour)
                    guard isNow || compared.contains(hour) else { continue }
                    let owner = scopes.owner(of: row.series, hour: hour, table)
                    if owner != part.owner {
                        add(part, row, to: window, wanted, scopes)
                        part = Part(owner: owner)
                    }
                    part.add(nanos, at: hour, isNow: isNow)
                }
                add(part, row, to: window, wanted, scopes)
            }
        }
    }

    private mutating func add(
        _ part: Part, _ row: CostPage.Row, to window: CostWindow, _ wanted: Set<Int>, _ scopes: ScopeTable
    ) {
        guard part.hasBefore || part.latestHour != nil else { return }
        let team = part.owner.map { scopes.all[$0.team].name }
        for scope in [ScopeTable.organisation, part.owner?.project, part.owner?.team].compactMap({ $0 })
        where wanted.contains(scope) {
            answers[Question(scope: scope, window: window), default: Answer()]
                .add(part, cause: table.causes[row.series], table.all[row.series].basis, team: team)
        }
    }

    func event(_ crossing: Crossing, at position: Position) -> WireThresholdCrossed {
        let threshold = crossing.threshold
        let window = crossing.window
        let answer = answers[Question(scope: crossing.scope, window: window)] ?? Answer()
        func money(_ nanos: Int128) -> WireMoney { Money(clamping: nanos, currency: threshold.currency).wire }
        return .with {
            $0.scope = threshold.scope.kind
            $0.name = threshold.scope.name
            $0.window = window.kind.rawValue
            $0.firstDay = window.firstDay.description
            $0.windowStart = window.start.seconds
            $0.windowEnd = window.end.seconds
            $0.zone = threshold.zone
            $0.level = crossing.level
            $0.limit = money(Int128(threshold.limit(window.kind) ?? 0))
            $0.cost = money(crossing.cost)
            $0.basis = answer.basis
            $0.position = position.value
            $0.usageThrough = usageThrough[window] ?? 0
            $0.previous = money(answer.before.values.reduce(0, +))
            $0.forecast = money(forecast(crossing))
            if let cause = cause(answer) { $0.cause = cause.wire(money) }
            if case .project = threshold.scope { $0.team = answer.latest?.team ?? "" }
        }
    }

    /// Straight line from the window's start through what is known to its end; what is known, once the window is over or
    /// where nobody knows how much of it is known.
    private func forecast(_ crossing: Crossing) -> Int128 {
        let window = crossing.window
        guard let through = usageThrough[window], through < window.end.seconds else { return crossing.cost }
        return crossing.cost * Int128(window.end.seconds - window.start.seconds)
            / Int128(through - window.start.seconds)
    }

    private struct Cause {
        let subject: CostCause
        let cost: Int128
        let growth: Int128

        func wire(_ money: (Int128) -> WireMoney) -> WireThresholdCrossed.Cause {
            .with {
                $0.provider = subject.provider
                $0.account = subject.account
                if let project = subject.providerProject { $0.providerProjectID = project }
                if let key = subject.key { $0.apiKeyID = key }
                if let model = subject.model { $0.model = model }
                $0.gatewayKey = subject.isGatewayKey
                $0.cost = money(cost)
                $0.growth = money(growth)
            }
        }
    }

    /// What grew most against the window before; of equals the first by name. None if nothing grew.
    private func cause(_ answer: Answer) -> Cause? {
        let all = answer.now.map { number, cost in
            Cause(subject: table.allCauses[number], cost: cost, growth: cost - (answer.before[number] ?? 0))
        }
        let most = all.max { left, right in
            left.growth == right.growth ? right.subject < left.subject : left.growth < right.growth
        }
        return most.flatMap { $0.growth > 0 ? $0 : nil }
    }
}
