package import EventLog
import SwiftProtobuf

/// Watches sums against thresholds: a fold over costs, assignments, thresholds and its own findings, that says what has to
/// be found next. It looks at whole commits, so that what is restated together is judged together; given the same log it
/// finds the same, wherever a reader's batches end.
///
/// Costs are held by UTC day in pages, which the caller reads from the log when `missingDays` asks for them; so memory does
/// not grow with the log, and a start does not read it whole.
package struct ThresholdWatch: Sendable {
    /// What a crossing or clearing is about.
    struct AlertKey: Hashable, Sendable {
        let scope: CostScope
        let kind: WindowKind
        let firstDay: Int
    }

    let currency: Currency
    private(set) var table = SeriesTable()
    private(set) var pages: [Int: CostPage] = [:]
    private(set) var thresholds: [CostScope: Threshold] = [:]
    /// The levels that stand, with the limit they were found against.
    private var fired: [AlertKey: [UInt32: Int64]] = [:]
    private var assignments = AssignmentIndex()
    private var scopes = ScopeTable()
    private var groups: [WindowGroup] = []
    private var lastUse: [Int: UInt64] = [:]
    private var uses: UInt64 = 0
    private var recentDay: Int?

    /// Days of cost around a touched one that its windows, and those before them, reach into.
    private static let daysBefore = 15
    private static let daysAfter = 7
    private static let lookBack = 8
    /// Pages kept: the days around two touched ones.
    private static let pagesKept = 64

    package init(currency: Currency) { self.currency = currency }

    /// The types of its history, costs aside.
    package static let directoryTypes: Set<EventType> = [
        "threshold.set", "threshold.removed", "threshold.crossed", "threshold.cleared", "attribution.assigned",
    ]
    package static let costTypes: Set<EventType> = [
        "usage.recorded", "usage.restated", "usage.repriced", "bill.allocated", "bill.took-force", "bill.left-force",
    ]

    package var isArmed: Bool { !thresholds.isEmpty }

    // MARK: Reading costs

    /// The UTC days whose costs have to be inserted before costs of `day` are taken: none while no threshold is armed.
    package func missingDays(for day: Day) -> [Day] { missingDays(for: day...day) }

    /// The UTC days whose costs have to be inserted before `evolve` of an event that may change many sums is settled.
    package func missingDays(around recorded: Timestamp) -> [Day] { missingDays(for: Self.lookedAt(recorded)) }

    private func missingDays(for days: ClosedRange<Day>) -> [Day] {
        guard isArmed else { return [] }
        return (days.lowerBound.number - Self.daysBefore...days.upperBound.number + Self.daysAfter)
            .filter { pages[$0] == nil }.map(Day.init(number:))
    }

    /// What is looked at when anything may have changed: windows that touch the days before the event.
    private static func lookedAt(_ recorded: Timestamp) -> ClosedRange<Day> {
        let day = Day(utc: recorded)
        return day.advanced(by: -lookBack)...day
    }

    /// Takes in a day as the log has it up to where this fold is: its costs, and the alerts of the windows that begin on it.
    package mutating func insert(_ page: [FinOpsEvent], for day: Day) {
        var costs = CostPage(day: day, currency: currency)
        for event in page {
            _ = costs.apply(event, &table)
            recall(event)
        }
        pages[day.number] = costs
    }

    /// Folds what was found about a window.
    private mutating func recall(_ event: FinOpsEvent) {
        switch event {
        case .thresholdCrossed(let event):
            if let key = event.key { fired[key, default: [:]][event.level] = event.limit.nanos }
        case .thresholdCleared(let event):
            if let key = event.key { fired[key]?[event.level] = nil }
        default: break
        }
    }

    // MARK: Folding

    /// Folds what says whose costs count, and against which limits.
    /// - Returns: whether any sum may have changed: then `missingDays(around:)` are inserted and `lookAtAll` follows.
    package mutating func evolve(_ event: FinOpsEvent, recorded: Timestamp) -> Bool {
        switch event {
        case .thresholdSet(let event):
            guard let threshold = Threshold(event, since: recorded), threshold.currency == currency else {
                return false
            }
            thresholds[threshold.scope] = threshold
            regroup()
            return true
        case .thresholdRemoved(let event):
            guard let scope = CostScope(kind: event.scope, name: event.name) else { return false }
            thresholds[scope] = nil
            regroup()
        case .thresholdCrossed, .thresholdCleared: recall(event)
        case .attributionAssigned:
            assignments.evolve(event)
            scopes.forgetOwners()
            endSums()
            return true
        default: break
        }
        return false
    }

    /// Sums the windows of the days before `recorded` again, and marks them all as changed.
    package mutating func lookAtAll(_ recorded: Timestamp) {
        guard isArmed else { return }
        let days = Self.lookedAt(recorded)
        for number in days.lowerBound.number...days.upperBound.number { prepare(Day(number: number)) }
        for index in groups.indices {
            groups[index].markAll { $0.end > days.lowerBound.utcStart && $0.start <= recorded }
        }
    }

    /// Folds a cost of a UTC day whose pages, and those `missingDays` names, have been inserted.
    package mutating func take(_ event: FinOpsEvent, of day: Day) {
        guard isArmed, pages[day.number] != nil else { return }
        if recentDay != day.number { prepare(day) }
        guard let changes = pages[day.number]?.apply(event, &table) else { return }
        for change in changes { add(change) }
    }

    private mutating func add(_ change: CostChange) {
        let owner = scopes.owner(of: change.series, hour: change.hour, table, assignments)
        for index in groups.indices {
            groups[index].add(change.nanos, hour: change.hour, scope: ScopeTable.organisation)
            guard let owner else { continue }
            groups[index].add(change.nanos, hour: change.hour, scope: owner.project)
            groups[index].add(change.nanos, hour: change.hour, scope: owner.team)
        }
    }

    /// Sums the windows of a day before anything of it changes.
    private mutating func prepare(_ day: Day) {
        recentDay = day.number
        uses += 1
        for number in day.number - Self.daysBefore...day.number + Self.daysAfter { lastUse[number] = uses }
        evict()
        for index in groups.indices {
            for window in groups[index].missing(on: day) {
                groups[index].begin(window)
                for number in window.utcDays { if let page = pages[number] { fill(index, window, from: page) } }
            }
        }
    }

    private mutating func fill(_ index: Int, _ window: CostWindow, from page: CostPage) {
        for cell in page.effective(table) {
            let owner = scopes.owner(of: cell.series, hour: cell.hour, table, assignments)
            groups[index].fill(window, with: cell.nanos, hour: cell.hour, scope: ScopeTable.organisation)
            guard let owner else { continue }
            groups[index].fill(window, with: cell.nanos, hour: cell.hour, scope: owner.project)
            groups[index].fill(window, with: cell.nanos, hour: cell.hour, scope: owner.team)
        }
    }

    private mutating func evict() {
        guard pages.count > Self.pagesKept else { return }
        let old = pages.keys.sorted { (lastUse[$0] ?? 0, $0) < (lastUse[$1] ?? 0, $1) }
            .prefix(pages.count - Self.pagesKept)
        for number in old {
            pages[number] = nil
            lastUse[number] = nil
            fired = fired.filter { $0.key.firstDay != number }
            for index in groups.indices {
                for window in groups[index].windows where window.utcDays.contains(number) { groups[index].end(window) }
            }
        }
    }

    private mutating func regroup() {
        let wanted = Set(
            thresholds.values.flatMap { threshold in
                threshold.limits.keys.map { WindowGroup.Key(kind: $0, zone: threshold.zone) }
            })
        groups = wanted.sorted().compactMap { key in
            BusinessCalendar(key.zone).map { WindowGroup(key.kind, $0) }
        }
        for threshold in thresholds.values { _ = scopes.number(of: threshold.scope) }
        for index in groups.indices {
            let armed = thresholds.values.filter {
                $0.limits[groups[index].kind] != nil && $0.zone == groups[index].zone
            }
            groups[index].arm(armed.map { scopes.number(of: $0.scope) }, count: scopes.count)
        }
        endSums()
    }

    /// What an hour counts for may have changed anywhere.
    private mutating func endSums() {
        recentDay = nil
        for index in groups.indices { groups[index].endAll() }
    }

    // MARK: Settling

    /// What the changes since the last settlement ask to be found, in the order of windows and scopes. The caller folds the
    /// answer with `evolve`.
    /// - Parameter position: of the commit's last event.
    package mutating func settle(at position: Position) -> [FinOpsEvent] {
        var crossed: [Crossing] = []
        var events: [FinOpsEvent] = []
        for index in groups.indices {
            for (mark, before) in groups[index].takeMarks() {
                guard let window = groups[index].window(mark.window),
                    let threshold = thresholds[scopes.all[mark.scope]], threshold.limits[window.kind] != nil
                else { continue }
                let sum = groups[index].sum(mark.window, scope: mark.scope)
                let key = AlertKey(scope: threshold.scope, kind: window.kind, firstDay: mark.window)
                let reached = threshold.reached(sum, window.kind)
                // A window that had ended when the threshold was stated is judged by what has become known since.
                let old =
                    window.end <= threshold.since ? before.map { threshold.reached($0, window.kind) } ?? reached : []
                for level in reached where fired[key]?[level] == nil && !old.contains(level) {
                    crossed.append(Crossing(threshold: threshold, window: window, level: level, cost: sum))
                }
                for (level, limit) in (fired[key] ?? [:]).sorted(by: { $0.key < $1.key }) where !reached.contains(level)
                {
                    events.append(
                        .thresholdCleared(
                            clearing(threshold, window, level, sum, wasLimitedTo: limit, at: position)))
                }
            }
        }
        let details = CrossingDetails(crossed, self)
        return events + crossed.map { .thresholdCrossed(details.event($0, at: position)) }
    }

    private func clearing(
        _ threshold: Threshold, _ window: CostWindow, _ level: UInt32, _ sum: Int128, wasLimitedTo limit: Int64,
        at position: Position
    ) -> WireThresholdCleared {
        .with {
            $0.scope = threshold.scope.kind
            $0.name = threshold.scope.name
            $0.window = window.kind.rawValue
            $0.firstDay = window.firstDay.description
            $0.zone = threshold.zone
            $0.level = level
            $0.limit = threshold.limit(window.kind).wire
            $0.cost = Money(clamping: sum, currency: threshold.currency).wire
            $0.position = position.value
            $0.reason = limit == threshold.limits[window.kind] ? "cost" : "limit"
        }
    }

    func owner(of series: Int, hour: Int64) -> Owner? {
        let series = table.all[series]
        return assignments.assignment(
            provider: series.provider, account: series.account, key: series.key,
            providerProject: series.providerProject, hour: hour)?.owner
    }
}

/// A level that a window's sum has reached.
struct Crossing {
    let threshold: Threshold
    let window: CostWindow
    let level: UInt32
    let cost: Int128
}

extension WireThresholdCrossed {
    fileprivate var key: ThresholdWatch.AlertKey? {
        .init(scope: scope, name: name, window: window, firstDay: firstDay)
    }
}

extension WireThresholdCleared {
    fileprivate var key: ThresholdWatch.AlertKey? {
        .init(scope: scope, name: name, window: window, firstDay: firstDay)
    }
}

extension ThresholdWatch.AlertKey {
    fileprivate init?(scope: String, name: String, window: String, firstDay: String) {
        guard let scope = CostScope(kind: scope, name: name), let kind = WindowKind(rawValue: window),
            let day = Day(firstDay)
        else { return nil }
        self.init(scope: scope, kind: kind, firstDay: day.number)
    }
}
