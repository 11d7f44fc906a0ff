package import EventLog

/// Watches sums against thresholds: a fold over costs, assignments, thresholds and its own findings, that says what has to
/// be found next. It looks at whole commits, so that what is restated together is judged together; given the same log it
/// finds the same, wherever a reader's batches end and whenever it begins anew.
///
/// Costs are held by UTC day in pages, which the caller reads from the log when `missingDays` asks for them; so memory does
/// not grow with the log, and a start does not read it whole.
package struct ThresholdWatch: Sendable {
    /// Days of cost around a touched one that its windows, and those before them, reach into.
    private static let daysBefore = 15
    private static let daysAfter = 8
    /// How far back windows are judged anew when a threshold or an owner changes.
    private static let daysLookedBack = 8
    /// Kept between commits: the days around two touched ones, and some.
    private static let pagesKept = 64

    /// The types of its history, costs aside.
    package static let directoryTypes: Set<EventType> = [
        "threshold.set", "threshold.removed", "threshold.crossed", "threshold.cleared", "attribution.assigned",
    ]
    package static let costTypes: Set<EventType> = [
        "usage.recorded", "usage.restated", "usage.repriced", "bill.allocated", "bill.took-force", "bill.left-force",
    ]

    private let currency: Currency
    private let currencyCode: [UInt8]
    private var table = SeriesTable()
    private var series = SeriesCache()
    private var pages: [Int: CostPage] = [:]
    private var thresholds: [CostScope: Threshold] = [:]
    private var findings = Findings()
    private var scopes = ScopeTable()
    private var groups: [WindowGroup] = []
    private var areGroupsCurrent = true
    /// The days of which all windows are summed.
    private var prepared: Set<Int> = []
    private var recentDay: Int?
    /// By day: the commit that last touched it.
    private var lastUse: [Int: UInt64] = [:]
    private var commits: UInt64 = 0
    /// Everything around this moment is judged when the commit ends.
    private var look: Timestamp?

    /// - Parameter currency: costs and thresholds in another one are not watched.
    package init(currency: Currency) {
        self.currency = currency
        currencyCode = Array(currency.code.utf8)
    }

    /// Whether there is any threshold.
    package var isArmed: Bool { !thresholds.isEmpty }

    // MARK: Reading costs

    /// The UTC days whose costs have to be inserted before costs of `day` are taken: none while no threshold is armed.
    package func missingDays(for day: Day) -> [Day] {
        isArmed && !prepared.contains(day.number) ? missingDays(for: day...day) : []
    }

    /// The UTC days whose costs have to be inserted before `lookAtAll`.
    package func missingDays(around recorded: Timestamp) -> [Day] { missingDays(for: Self.lookedAt(recorded)) }

    private func missingDays(for days: ClosedRange<Day>) -> [Day] {
        (days.lowerBound.number - Self.daysBefore...days.upperBound.number + Self.daysAfter)
            .filter { pages[$0] == nil }.map(Day.init(number:))
    }

    private static func lookedAt(_ recorded: Timestamp) -> ClosedRange<Day> {
        let day = Day(utc: recorded)
        return day.advanced(by: -daysLookedBack)...day
    }

    /// Takes in a day.
    /// - Parameter page: in the order of the log: the day's costs up to where this fold is, and all that was ever found about
    ///   the windows that begin on it. What was found may stand behind where this fold is: it is not taken in twice.
    package mutating func insert(_ page: [FinOpsEvent], for day: Day) {
        var costs = CostPage(day: day, currency: currency)
        for event in page {
            _ = costs.apply(event, &table)
            findings.evolve(event, &scopes)
        }
        pages[day.number] = costs
    }

    // MARK: Folding

    /// Folds what says whose costs count, and against which limits.
    /// - Returns: whether any sum may have changed: then `missingDays(around:)` are inserted and `lookAtAll` follows. History
    ///   that was settled before needs neither.
    package mutating func evolve(_ event: FinOpsEvent, recorded: Timestamp) -> Bool {
        switch event {
        case .thresholdSet(let event):
            guard let scope = CostScope(kind: event.scope, name: event.name) else { return false }
            let threshold = Threshold(event, since: recorded)
            return arm(scope, threshold?.currency == currency ? threshold : nil)
        case .thresholdRemoved(let event):
            return CostScope(kind: event.scope, name: event.name).map { arm($0, nil) } ?? false
        case .attributionAssigned:
            scopes.evolve(event)
            endSums()
            return isArmed
        // A day that is not here is inserted with what was found about it.
        case .thresholdCrossed(let crossed) where isHere(crossed.firstDay): findings.evolve(event, &scopes)
        case .thresholdCleared(let cleared) where isHere(cleared.firstDay): findings.evolve(event, &scopes)
        default: break
        }
        return false
    }

    private mutating func arm(_ scope: CostScope, _ threshold: Threshold?) -> Bool {
        guard threshold != nil || thresholds[scope] != nil else { return false }
        thresholds[scope] = threshold
        areGroupsCurrent = false
        recentDay = nil
        return true
    }

    private func isHere(_ firstDay: String) -> Bool { Day(firstDay).map { pages[$0.number] != nil } ?? false }

    /// Judges the windows of the days before `recorded`, of all scopes, when the commit ends.
    package mutating func lookAtAll(_ recorded: Timestamp) { look = recorded }

    /// Folds a cost of a UTC day.
    /// - Precondition: the days that `missingDays(for:)` named have been inserted.
    package mutating func take(_ event: FinOpsEvent, of day: Day) {
        guard isArmed else { return }
        if recentDay != day.number { prepare(day) }
        guard let changes = pages[day.number]?.apply(event, &table) else {
            preconditionFailure("days are inserted before their costs are taken")
        }
        for change in changes { add(change) }
    }

    /// Whether `take(usage:of:)` can read events of a type.
    package static func isUsage(_ type: EventType, schema: UInt16) -> Bool { UsageCost.reads(type, schema: schema) }

    /// Folds a usage event of a UTC day as the log has it: the same as decoding it first, in a tenth of the time.
    /// - Precondition: `isUsage` of its type; the days that `missingDays(for:)` named have been inserted.
    /// - Throws: `WireFields.Malformed`, or what decoding throws; then nothing was taken.
    package mutating func take(usage event: NewEvent, of day: Day) throws {
        guard isArmed else { return }
        if recentDay != day.number { prepare(day) }
        guard var page = pages.removeValue(forKey: day.number) else {
            preconditionFailure("days are inserted before their costs are taken")
        }
        defer { pages[day.number] = page }
        let usage = try UsageCost(event.type, schema: event.schema, event.payload)
        try take(usage, of: event.payload, into: &page) { event }
    }

    /// Folds neighbours of one UTC day as `take(usage:of:)` does each of them, without looking for their day every time.
    /// - Precondition: as there; costs of that day have been taken since anything else was folded.
    /// - Returns: the place of the first event that cannot be read; nothing of it, or of those behind it, was taken. The end
    ///   if all were.
    package mutating func take(usage events: ArraySlice<RecordedEvent>, of day: Day) -> Int {
        guard isArmed, recentDay == day.number, var page = pages.removeValue(forKey: day.number) else {
            return events.startIndex
        }
        defer { pages[day.number] = page }
        for place in events.indices {
            // Whoever takes that event by itself is told what is wrong with it.
            do {
                // Field by field: a copy of the event would cost as much as all that is done with it.
                let usage = try UsageCost(
                    events[place].event.type, schema: events[place].event.schema, events[place].event.payload)
                try take(usage, of: events[place].event.payload, into: &page) { events[place].event }
            } catch { return place }
        }
        return events.endIndex
    }

    private mutating func take(
        _ usage: UsageCost, of payload: [UInt8], into page: inout CostPage, _ event: () -> NewEvent
    ) throws {
        let counts = usage.nanos != 0 && payload[usage.currency].elementsEqual(currencyCode)
        let number = counts ? try number(of: usage, payload, event) : 0
        page.see(usage.bucketStart, usage.bucketEnd, observed: usage.observed)
        guard counts, let change = page.add(usage.nanos, series: number, at: usage.bucketStart, table) else { return }
        add(change)
    }

    private mutating func number(of usage: UsageCost, _ payload: [UInt8], _ event: () -> NewEvent) throws -> Int {
        try series.number(of: usage, payload) {
            switch try EventCatalogue.decode(event()) {
            case .usageRecorded(let event): table.number(of: CostSeries(event.row))
            case .usageRestated(let event): table.number(of: CostSeries(event.row))
            case .usageRepriced(let event): table.number(of: CostSeries(event.row))
            default: preconditionFailure("it is a usage event")
            }
        }
    }

    private mutating func add(_ change: CostChange) {
        let owner = scopes.owner(of: change.series, hour: change.hour, table)
        for index in groups.indices { groups[index].add(change.nanos, hour: change.hour, owner) }
    }

    /// Sums the windows of a day before anything of it changes.
    private mutating func prepare(_ day: Day) {
        regroup()
        recentDay = day.number
        lastUse[day.number] = commits
        guard prepared.insert(day.number).inserted else { return }
        for index in groups.indices {
            for window in groups[index].missing(on: day) { groups[index].sum(window, sums(of: window)) }
        }
    }

    private mutating func sums(of window: CostWindow) -> [Int128] {
        var sums: [Int128] = []
        func add(_ nanos: Int64, to scope: Int) {
            if scope >= sums.count { sums += repeatElement(0, count: scope + 1 - sums.count) }
            sums[scope] += Int128(nanos)
        }
        for number in window.utcDays {
            let start = Day(number: number).utcStart.seconds
            for row in pages[number]?.rows(table) ?? [] {
                for (hour, nanos) in zip(stride(from: start, to: .max, by: 3_600), row.nanos)
                where nanos != 0 && window.contains(hour) {
                    add(nanos, to: ScopeTable.organisation)
                    guard let owner = scopes.owner(of: row.series, hour: hour, table) else { continue }
                    add(nanos, to: owner.project)
                    add(nanos, to: owner.team)
                }
            }
        }
        return sums
    }

    /// Gives every kind of window and zone that a threshold asks for its sums, and every group its thresholds.
    private mutating func regroup() {
        guard !areGroupsCurrent else { return }
        areGroupsCurrent = true
        var wanted: [WindowGroup.Key: [Threshold?]] = [:]
        for threshold in thresholds.values {
            let number = scopes.number(of: threshold.scope)
            for kind in WindowKind.allCases where threshold.limit(kind) != nil {
                let key = WindowGroup.Key(zone: threshold.zone, kind: kind)
                let count = wanted[key]?.count ?? 0
                wanted[key, default: []] += repeatElement(nil, count: max(0, number + 1 - count))
                wanted[key]?[number] = threshold
            }
        }
        let known = Dictionary(uniqueKeysWithValues: groups.map { ($0.key, $0) })
        groups = wanted.keys.sorted().compactMap { known[$0] ?? WindowGroup($0) }
        for index in groups.indices { groups[index].thresholds = wanted[groups[index].key] ?? [] }
        prepared = []
    }

    private mutating func endSums() {
        recentDay = nil
        prepared = []
        for index in groups.indices { groups[index].endSums() }
    }

    // MARK: Settling

    /// Ends a commit: what its changes ask to be found, in an order that depends on the log alone. It is folded already.
    /// - Parameter position: of the commit's last event.
    package mutating func settle(at position: Position) -> [FinOpsEvent] {
        regroup()
        var judgement = Judgement(position: position, look: look)
        if let look { prepareAll(look) }
        for index in groups.indices {
            for window in groups[index].windows where !window.changed.isEmpty {
                if !window.isWhole { groups[index].sum(window.window, sums(of: window.window)) }
            }
            for window in groups[index].windows where !window.changed.isEmpty {
                judgement.judge(window, groups[index].thresholds, findings)
            }
            groups[index].forgetChanges()
        }
        clear(endedFindings(judgement), &judgement)
        let details = CrossingDetails(judgement.crossings, pages, table, &scopes)
        let events =
            judgement.clearings + judgement.crossings.map { .thresholdCrossed(details.event($0, at: position)) }
        for event in events { findings.evolve(event, &scopes) }
        endCommit()
        return events
    }

    private mutating func prepareAll(_ look: Timestamp) {
        let days = Self.lookedAt(look)
        for number in days.lowerBound.number...days.upperBound.number { prepare(Day(number: number)) }
        for index in groups.indices { groups[index].markAll { Self.isLookedAt($0, look) } }
    }

    private static func isLookedAt(_ window: CostWindow, _ look: Timestamp) -> Bool {
        window.end > lookedAt(look).lowerBound.utcStart && window.start <= look
    }

    /// What was found against limits that are no more, or in the windows of a zone that a threshold no longer has.
    private func endedFindings(_ judgement: Judgement) -> [Findings.Standing] {
        guard let look else { return judgement.foreign }
        let ended = findings.standing.filter { standing in
            let threshold = thresholds[scopes.all[standing.scope]]
            return threshold?.limit(standing.kind) == nil || threshold?.zone != standing.finding.zone
        }
        return judgement.foreign + ended.filter { window(of: $0).map { Self.isLookedAt($0, look) } ?? false }
    }

    private mutating func clear(_ ended: [Findings.Standing], _ judgement: inout Judgement) {
        var known: [CostWindow: [Int128]] = [:]
        for standing in ended {
            guard let window = window(of: standing) else { continue }
            let scope = scopes.all[standing.scope]
            let sums = known[window] ?? sums(of: window)
            known[window] = sums
            judgement.clear(
                scope, window, level: standing.level, standing.finding,
                limit: Money(nanos: standing.finding.limit, currency: currency),
                cost: standing.scope < sums.count ? sums[standing.scope] : 0,
                reason: thresholds[scope]?.limit(standing.kind) == nil ? "removed" : "zone")
        }
    }

    /// - Returns: nil for a zone that the system does not know.
    private func window(of standing: Findings.Standing) -> CostWindow? {
        BusinessCalendar(standing.finding.zone).map {
            CostWindow(standing.kind, first: Day(number: standing.firstDay), $0)
        }
    }

    private mutating func endCommit() {
        look = nil
        commits += 1
        if !isArmed {
            // Costs are not taken from here on.
            pages = [:]
            findings = Findings()
            endSums()
        }
        evict()
    }

    /// Forgets the days that were needed longest ago.
    private mutating func evict() {
        guard pages.count > Self.pagesKept else { return }
        func age(_ number: Int) -> UInt64 {
            (number - Self.daysAfter...number + Self.daysBefore).compactMap { lastUse[$0] }.max() ?? 0
        }
        let old = pages.keys.map { (age($0), $0) }.sorted { $0 < $1 }.prefix(pages.count - Self.pagesKept).map(\.1)
        for number in old {
            pages[number] = nil
            lastUse[number] = nil
            findings.forget(firstDay: number)
        }
        let gone = Set(old)
        for index in groups.indices { groups[index].end { !gone.isDisjoint(with: $0.utcDays) } }
        recentDay = nil
        prepared = []
    }
}
