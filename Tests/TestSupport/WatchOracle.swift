package import EventLog
package import FinOps
import SwiftProtobuf

/// What a watch should find, worked out the long way: after every commit everything is summed again from the raw events.
package struct WatchOracle {
    private struct Cell: Hashable {
        var hour: Int64
        var account: String
        var project: String?
        var key: String?
        var model: String?
        /// nil: a bill knows none.
        var tier: String?
        /// Whose it is, where calls say it.
        var owner: String?

        init(_ row: WireUsageRow) {
            (hour, account) = (row.bucketStart, row.account)
            (project, key, model) = (row.projectID, row.apiKeyID, row.model)
            tier = Self.common(row.serviceTier)
        }

        init(_ event: WireBillAllocated, _ part: WireBillAllocated.Part) {
            (hour, account) = (part.hour, event.account)
            (project, key, model) = (event.projectID, part.apiKeyID, part.model)
        }

        init(_ call: WireCallRecorded) {
            (hour, account) = (call.started / 3_600_000_000 * 3_600, call.account)
            (key, model, tier, owner) = (call.key, call.model, Self.common(call.serviceTier), call.project)
        }

        private static func common(_ tier: String) -> String { tier == "default" ? "" : tier }

        func isAbout(_ call: WireCallRecorded) -> Bool {
            let other = Cell(call)
            return hour == other.hour && account == other.account && model == other.model
                && (tier == nil || tier == other.tier) && (!call.hasProviderKeyID || call.providerKeyID == key)
                && (!call.hasProviderProjectID || call.providerProjectID == project)
        }
    }

    private struct Scope: Hashable {
        var account: String
        var day: String
        var project: String?
    }

    private struct Allocation: Hashable {
        var scope: Scope
        var lineItem: String?
        var key: String?
    }

    private struct Place: Hashable {
        var scope: CostScope
        var kind: WindowKind
        var firstDay: Day
    }

    private struct Finding: Hashable {
        var place: Place
        var level: UInt32
    }

    /// These by the hour.
    private var usage: [Int64: [Cell: WireUsageRow]] = [:]
    private var calls: [Int64: [WireCallRecorded]] = [:]
    private var counted: [Int64: [Cell: Int64]] = [:]
    private var teams: [String: Timeline<String>] = [:]
    private var allocations: [Allocation: [Cell: Int64]] = [:]
    private var forced: Set<Scope> = []
    private var assignments: [WireAttributionAssigned] = []
    private var thresholds: [CostScope: Threshold] = [:]
    private var standing: [Finding: String] = [:]
    /// What every window costs after the last commit.
    private var known: [Place: Int128] = [:]
    private var days = ZoneDays()

    package init() {}

    /// - Returns: what one commit brings about, in words, sorted.
    package mutating func commit(_ events: [FinOpsEvent], at recorded: Timestamp) -> [String] {
        let before = known
        var touched: Set<Place> = []
        var isLook = false
        for event in events {
            switch event {
            case .attributionAssigned, .projectAdded, .projectMoved: isLook = isLook || !thresholds.isEmpty
            case .thresholdSet: isLook = true
            case .thresholdRemoved(let removed):
                isLook = isLook || thresholds.keys.contains { $0.kind == removed.scope && $0.name == removed.name }
            default: break
            }
            for hour in fold(event, recorded) {
                let old = counted[hour] ?? [:]
                counted[hour] = cells(in: hour)
                touched.formUnion(places(of: hour, changedFrom: old))
            }
        }
        let after = sums
        known = after
        if isLook {
            for place in Set(after.keys).union(standing.keys.map(\.place)) {
                guard let threshold = thresholds[place.scope], threshold.limit(place.kind) != nil else { continue }
                if isLooked(place, threshold.zone, recorded) { touched.insert(place) }
            }
        } else {
            touched = touched.filter { before[$0, default: 0] != after[$0, default: 0] }
        }
        var found = end(touched, isLook: isLook, recorded)
        for place in touched {
            found += judge(place, before[place] ?? 0, after[place] ?? 0, isLook: isLook, recorded)
        }
        return found.sorted()
    }

    /// Takes back what was found against a limit that is no more, or in a window of a zone that its threshold no longer has:
    /// when it is looked for, and when the window with the same first day in the threshold's zone is judged.
    private mutating func end(_ judged: Set<Place>, isLook: Bool, _ recorded: Timestamp) -> [String] {
        var found: [String] = []
        for (finding, zone) in standing {
            let threshold = thresholds[finding.place.scope]
            let isRemoved = threshold?.limit(finding.place.kind) == nil
            guard isRemoved || threshold?.zone != zone else { continue }
            guard isLook && isLooked(finding.place, zone, recorded) || !isRemoved && judged.contains(finding.place)
            else { continue }
            standing[finding] = nil
            let reason = isRemoved ? "removed" : "zone"
            found.append(words(finding, "cleared by \(reason) at", sum(finding.place, zone: zone)))
        }
        return found
    }

    private mutating func judge(
        _ place: Place, _ before: Int128, _ after: Int128, isLook: Bool, _ recorded: Timestamp
    ) -> [String] {
        guard let threshold = thresholds[place.scope], let limit = threshold.limit(place.kind).map({ Int128($0) })
        else { return [] }
        var found: [String] = []
        for finding in standing.keys where finding.place == place {
            let isReached =
                threshold.levels.contains(finding.level) && after * 100 >= limit * Int128(finding.level)
            guard !isReached else { continue }
            standing[finding] = nil
            let reason = isLook && threshold.since == recorded ? "limit" : "cost"
            found.append(words(finding, "cleared by \(reason) at", after))
        }
        let isOver = days.end(place.firstDay, place.kind, threshold.zone) <= threshold.since
        for level in threshold.levels where after * 100 >= limit * Int128(level) {
            let finding = Finding(place: place, level: level)
            let isOldNews = isOver && (isLook || before * 100 >= limit * Int128(level))
            if isOldNews || standing[finding] != nil { continue }
            standing[finding] = threshold.zone
            found.append(words(finding, "at", after))
        }
        return found
    }

    private func words(_ finding: Finding, _ what: String, _ cost: Int128) -> String {
        let place = finding.place
        let name = place.scope.name.isEmpty ? place.scope.kind : "\(place.scope.kind) \(place.scope.name)"
        let cost = Money(clamping: cost, currency: .usd).wire.text
        return "\(place.kind.rawValue) \(place.firstDay) \(name): \(finding.level) % \(what) \(cost)"
    }

    // MARK: Folding

    /// - Returns: the hours whose costs may have changed.
    private mutating func fold(_ event: FinOpsEvent, _ recorded: Timestamp) -> [Int64] {
        switch event {
        case .thresholdSet(let event):
            if let threshold = Threshold(event, since: recorded) { thresholds[threshold.scope] = threshold }
        case .thresholdRemoved(let event):
            if let scope = CostScope(kind: event.scope, name: event.name) { thresholds[scope] = nil }
        case .attributionAssigned(let event): assignments.append(event)
        case .projectAdded(let event): teams[event.project, default: Timeline()].set(event.team, from: nil)
        case .projectMoved(let event): teams[event.project, default: Timeline()].set(event.team, from: event.start)
        case .callRecorded(let event):
            calls[Cell(event).hour, default: []].append(event)
            return [Cell(event).hour]
        case .usageRecorded(let event): return state(event.row)
        case .usageRestated(let event): return state(event.row)
        case .usageRepriced(let event): return state(event.row)
        case .billAllocated(let event):
            let scope = Scope(account: event.account, day: event.day, project: event.projectID)
            let allocation = Allocation(scope: scope, lineItem: event.lineItem, key: event.apiKeyID)
            allocations[allocation] = Dictionary(
                event.parts.map { (Cell(event, $0), $0.nanos) }, uniquingKeysWith: +)
            return hours(of: event.day)
        case .billTookForce(let event):
            forced.insert(Scope(account: event.account, day: event.day, project: event.projectID))
            return hours(of: event.day)
        case .billLeftForce(let event):
            forced.remove(Scope(account: event.account, day: event.day, project: event.projectID))
            return hours(of: event.day)
        default: break
        }
        return []
    }

    private mutating func state(_ row: WireUsageRow) -> [Int64] {
        usage[row.bucketStart, default: [:]][Cell(row)] = row
        return [row.bucketStart]
    }

    private func hours(of day: String) -> [Int64] {
        let start = Day(day)!.utcStart.seconds
        return (0..<24).map { start + $0 * 3_600 }
    }

    /// Everything that counts in an hour: the bill where it is in force, else usage, else what calls are estimated to cost.
    /// Usage and bills of keys that calls went through are shared among the calls' projects.
    private func cells(in hour: Int64) -> [Cell: Int64] {
        var cells: [Cell: Int64] = [:]
        let (usage, calls) = (usage[hour] ?? [:], calls[hour] ?? [])
        func add(_ cell: Cell, _ nanos: Int64) {
            for (cell, part) in shares(of: cell, nanos, calls) { cells[cell, default: 0] += part }
        }
        for (cell, row) in usage where !forced.contains(scope(cell.account, cell.project, hour)) {
            add(cell, row.cost.nanos)
        }
        for (allocation, parts) in allocations where forced.contains(allocation.scope) {
            for (cell, nanos) in parts where cell.hour == hour { add(cell, nanos) }
        }
        for call in calls where !isBilled(call) {
            if usage.contains(where: { $0.key.isAbout(call) && !$0.value.quantities.isZero }) { continue }
            cells[Cell(call), default: 0] += call.cost.nanos
        }
        return cells.filter { $0.value != 0 }
    }

    private func scope(_ account: String, _ project: String?, _ hour: Int64) -> Scope {
        Scope(account: account, day: Day(utc: Timestamp(seconds: hour)).description, project: project)
    }

    private func isBilled(_ call: WireCallRecorded) -> Bool {
        let scope = scope(call.account, call.providerProjectID, Cell(call).hour)
        if call.hasProviderProjectID { return forced.contains(scope) }
        return forced.contains { $0.account == scope.account && $0.day == scope.day }
    }

    private func shares(of cell: Cell, _ nanos: Int64, _ calls: [WireCallRecorded]) -> [(Cell, Int64)] {
        let sharing = calls.filter { cell.isAbout($0) }
        guard !sharing.isEmpty else { return [(cell, nanos)] }
        let isPriced = sharing.allSatisfy(\.hasCost) && sharing.contains { $0.cost.nanos > 0 }
        var weights: [String: Int128] = [:]
        for call in sharing {
            weights[call.project, default: 0] += isPriced ? Int128(call.cost.nanos) : 10
        }
        let owners = weights.keys.sorted()
        let parts = LargestRemainder.split(nanos, by: owners.map { weights[$0] ?? 0 })
        return zip(owners, parts).map { owner, part in
            var share = cell
            share.owner = owner
            return (share, part)
        }
    }

    private func owners(_ cell: Cell) -> [CostScope] {
        if let project = cell.owner {
            let team = teams[project]?.value(at: Timestamp(seconds: cell.hour))
            return [.organisation, .project(project)] + (team.map { [.team($0)] } ?? [])
        }
        func last(_ isOurs: (WireAttributionAssigned) -> Bool) -> WireAttributionAssigned? {
            assignments.filter { isOurs($0) && (!$0.hasFrom || $0.from <= cell.hour) }
                .max { ($0.version, $0.hasFrom ? $0.from : .min) < ($1.version, $1.hasFrom ? $1.from : .min) }
        }
        let owner =
            last { $0.subject == cell.key.map { .apiKeyID($0) } }
            ?? last { $0.subject == cell.project.map { .providerProjectID($0) } }
        return [.organisation] + (owner.map { [.project($0.project), .team($0.team)] } ?? [])
    }

    private mutating func places(of hour: Int64, changedFrom old: [Cell: Int64]) -> Set<Place> {
        let new = counted[hour] ?? [:]
        var found: Set<Place> = []
        for cell in Set(old.keys).union(new.keys) where old[cell] != new[cell] {
            found.formUnion(places(cell))
        }
        return found
    }

    private mutating func places(_ cell: Cell) -> [Place] {
        owners(cell).flatMap { scope -> [Place] in
            guard let threshold = thresholds[scope] else { return [] }
            return WindowKind.allCases.filter { threshold.limit($0) != nil }.map { kind in
                Place(scope: scope, kind: kind, firstDay: days.first(cell.hour, kind, threshold.zone))
            }
        }
    }

    private var sums: [Place: Int128] {
        mutating get {
            var sums: [Place: Int128] = [:]
            for (cell, nanos) in counted.values.joined() {
                for place in places(cell) { sums[place, default: 0] += Int128(nanos) }
            }
            return sums
        }
    }

    private mutating func sum(_ place: Place, zone: String) -> Int128 {
        var sum: Int128 = 0
        for (cell, nanos) in counted.values.joined()
        where owners(cell).contains(place.scope) && days.first(cell.hour, place.kind, zone) == place.firstDay {
            sum += Int128(nanos)
        }
        return sum
    }

    private mutating func isLooked(_ place: Place, _ zone: String, _ recorded: Timestamp) -> Bool {
        days.end(place.firstDay, place.kind, zone) > Day(utc: recorded).advanced(by: -8).utcStart
            && days.start(place.firstDay, zone) <= recorded
    }
}

/// Days of zones, remembered: asking for them takes longer than everything else.
private struct ZoneDays {
    private var calendars: [String: BusinessCalendar] = [:]
    private var firsts: [String: Day] = [:]
    private var starts: [String: Timestamp] = [:]

    private mutating func calendar(_ zone: String) -> BusinessCalendar {
        if let known = calendars[zone] { return known }
        calendars[zone] = BusinessCalendar(zone)!
        return calendars[zone]!
    }

    mutating func first(_ hour: Int64, _ kind: WindowKind, _ zone: String) -> Day {
        let key = "\(zone) \(hour)"
        if firsts[key] == nil { firsts[key] = calendar(zone).day(of: Timestamp(seconds: hour)) }
        return kind == .day ? firsts[key]! : firsts[key]!.monday
    }

    mutating func start(_ day: Day, _ zone: String) -> Timestamp {
        let key = "\(zone) \(day)"
        if starts[key] == nil { starts[key] = calendar(zone).start(of: day) }
        return starts[key]!
    }

    mutating func end(_ first: Day, _ kind: WindowKind, _ zone: String) -> Timestamp {
        start(first.advanced(by: kind == .day ? 1 : 7), zone)
    }
}
