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

    /// The types of its history that carry cost.
    package static let costTypes: Set<EventType> = [
        "usage.recorded", "usage.restated", "usage.repriced", "bill.allocated", "bill.took-force", "bill.left-force",
        "call.recorded", "call.repriced",
    ]

    let currency: Currency
    let currencyCode: [UInt8]
    var table = SeriesTable()
    var usageSeries = SeriesCache()
    var callSeries = SeriesCache()
    /// Of the days that were touched in this commit, those with hours in which calls may have met usage or bills.
    var contested: Set<Int> = []
    /// The day that is being read.
    var reading: CostPage?
    var pages: [Int: CostPage] = [:]
    private var thresholds: [CostScope: Threshold] = [:]
    var findings = Findings()
    var scopes = ScopeTable()
    private var groups: [WindowGroup] = []
    private var areGroupsCurrent = true
    /// The days of which all windows are summed.
    private var prepared: Set<Int> = []
    var recentDay: Int?
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
        case .attributionAssigned, .projectAdded, .projectMoved:
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

    mutating func add(_ change: CostChange) {
        let owner = scopes.owner(of: change.series, hour: change.hour, table)
        for index in groups.indices { groups[index].add(change.nanos, hour: change.hour, owner) }
    }

    /// Sums the windows of a day before anything of it changes.
    mutating func prepare(_ day: Day) {
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
        settleContested()
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

    /// Lets estimates yield to what the provider says, and shares that among the projects that called.
    private mutating func settleContested() {
        for number in contested where isArmed {
            var page = open(Day(number: number))
            for change in page.settle(&table) { add(change) }
            close(page)
        }
        contested = []
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
