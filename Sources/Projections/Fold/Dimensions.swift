import CSQLite
import EventLog
import FinOps

/// The small tables that give texts their numbers, kept in memory: they grow with keys, projects and models, never with
/// events. Numbers are given in log order, so every build of the same log gives the same ones.
final class Dimensions {
    struct AccountKey: Hashable { var provider: String; var name: String }
    struct ScopeKey: Hashable { var account: Int64; var providerProject: String? }
    struct OwnerKey: Hashable { var team: String?; var project: String? }
    struct Subject: Hashable { var account: Int64; var kind: String; var id: String }
    struct ForceKey: Hashable { var scope: Int64; var utcDay: Int64 }
    private struct AccountModel: Hashable { var account: Int64; var model: Int64 }

    /// A class: a row of usage looks at it without copying ten texts.
    final class Series {
        let id: Int64
        let key: SeriesKey
        let account: Int64
        let model: Int64
        /// All series of its account and model.
        let peers: ModelPeers
        fileprivate(set) var timeline = AttributionTimeline()
        /// The start of the latest bucket of usage: a later one has no cell yet. A series that was here before this program
        /// began says nothing about its cells: no bucket is later than `max`.
        var lastMeteredBucket: Int64
        /// Where the rollups last added to a sum of this series; they look whether it is still there.
        var lastSum = 0

        init(
            id: Int64, key: SeriesKey, account: Int64, model: Int64, peers: ModelPeers, lastMeteredBucket: Int64
        ) {
            self.lastMeteredBucket = lastMeteredBucket
            self.peers = peers
            self.id = id
            self.key = key
            self.account = account
            self.model = model
        }
    }

    private(set) var accounts: [AccountKey: Int64] = [:]
    private(set) var scopes: [ScopeKey: Int64] = [:]
    private(set) var scopeKeys: [ScopeKey] = []
    private(set) var series: [Series] = []
    private(set) var seriesOfScope: [Int64: [Int64]] = [:]
    private(set) var seriesOfKey: [Subject: [Int64]] = [:]
    /// Calls by the project that pays for them.
    private(set) var seriesOfProject: [String: [Int64]] = [:]
    /// Calls of an account whose upstream names no project of the provider.
    private var unplacedCalls: [Int64: [Int64]] = [:]
    private(set) var peers: [ModelPeers] = []
    private var peersOfModel: [AccountModel: Int] = [:]
    /// Each project's team over time, as far as it was said.
    private var teams: [String: Timeline<String>] = [:]
    private var labels: [String: Int64] = [:]
    private var owners: [OwnerKey: Int64] = [:]
    private var seriesByKey: [SeriesKey: Int64] = [:]
    private var assignments: [Subject: [Assignment]] = [:]
    private var kindOfModel: [AccountKey: String] = [:]
    private(set) var forces = BillForces()

    private let insertLabel: Statement
    private let insertAccount: Statement
    private let insertScope: Statement
    private let insertOwner: Statement
    private let insertSeries: Statement
    private let insertSpan: Statement
    private let deleteSpans: Statement

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        insertLabel = try Statement(connection, "INSERT INTO label VALUES (?,?)")
        insertAccount = try Statement(connection, "INSERT INTO account(id, provider, name) VALUES (?,?,?)")
        insertScope = try Statement(connection, "INSERT INTO scope VALUES (?,?,?)")
        insertOwner = try Statement(connection, "INSERT INTO owner VALUES (?,?,?)")
        insertSeries = try Statement(connection, "INSERT INTO series VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
        insertSpan = try Statement(connection, "INSERT INTO attribution VALUES (?,?,?,?,?)")
        deleteSpans = try Statement(connection, "DELETE FROM attribution WHERE series = ?")
        try load(connection)
    }

    private func load(_ connection: OpaquePointer) throws(ProjectionFailure) {
        for (id, text) in try Statement(connection, "SELECT id, text FROM label").rows(
            [], { ($0.integer(0), $0.text(1)) })
        {
            labels[text] = id
        }
        for row in try Statement(connection, "SELECT id, provider, name FROM account").rows(
            [],
            {
                ($0.integer(0), AccountKey(provider: $0.text(1), name: $0.text(2)))
            })
        { accounts[row.1] = row.0 }
        for row in try Statement(connection, "SELECT id, account, provider_project FROM scope ORDER BY id").rows(
            [],
            {
                ($0.integer(0), ScopeKey(account: $0.integer(1), providerProject: $0.optionalText(2)))
            })
        {
            scopes[row.1] = row.0
            scopeKeys.append(row.1)
        }
        for row in try Statement(connection, "SELECT id, team, project FROM owner").rows(
            [],
            {
                ($0.integer(0), OwnerKey(team: $0.optionalText(1), project: $0.optionalText(2)))
            })
        { owners[row.1] = row.0 }
        for row in try Statement(connection, "SELECT scope, utc_day FROM in_force").rows(
            [],
            {
                ForceKey(scope: $0.integer(0), utcDay: $0.integer(1))
            })
        { forces.set(row, account: scopeKeys[Int(row.scope - 1)].account, true) }
        try loadAssignments(connection)
        for row in try Statement(connection, "SELECT project, team, begins FROM project_teams ORDER BY position").rows(
            [],
            {
                ($0.text(0), $0.text(1), $0.optionalInteger(2))
            })
        { setTeam(of: row.0, row.1, from: row.2) }
        for row in try Statement(connection, "SELECT \(SeriesKey.columnNames) FROM series ORDER BY id").rows(
            [], SeriesKey.init(row:))
        {
            try remember(row, id: Int64(series.count + 1), lastMeteredBucket: .max)
        }
    }

    private func loadAssignments(_ connection: OpaquePointer) throws(ProjectionFailure) {
        let query = try Statement(
            connection,
            "SELECT provider, account, subject_kind, subject, begins, version, team, project FROM assignments")
        let rows = try query.rows([]) { row throws(ProjectionFailure) in
            let account = try account(provider: row.text(0), name: row.text(1))
            let subject = Subject(account: account, kind: row.text(2), id: row.text(3))
            let owner = try owner(team: row.text(6), project: row.text(7))
            return (
                subject, Assignment(begins: row.optionalInteger(4) ?? 0, version: row.integer(5), owner: owner)
            )
        }
        for (subject, assignment) in rows { assignments[subject, default: []].append(assignment) }
    }

    func label(_ text: String) throws(ProjectionFailure) -> Int64 {
        if text.isEmpty { return 0 }
        if let known = labels[text] { return known }
        let id = Int64(labels.count + 1)
        try insertLabel.run(.integer(id), .text(text))
        labels[text] = id
        return id
    }

    func account(provider: String, name: String) throws(ProjectionFailure) -> Int64 {
        let key = AccountKey(provider: provider, name: name)
        if let known = accounts[key] { return known }
        let id = Int64(accounts.count + 1)
        try insertAccount.run(.integer(id), .text(provider), .text(name))
        accounts[key] = id
        return id
    }

    func scope(account: Int64, providerProject: String?) throws(ProjectionFailure) -> Int64 {
        let key = ScopeKey(account: account, providerProject: providerProject)
        if let known = scopes[key] { return known }
        let id = Int64(scopes.count + 1)
        try insertScope.run(.integer(id), .integer(account), SQLValue(providerProject))
        scopes[key] = id
        scopeKeys.append(key)
        return id
    }

    /// Empty texts stand for nobody: an assignment that takes a subject away from everyone.
    func owner(team: String, project: String) throws(ProjectionFailure) -> Int64 {
        let key = OwnerKey(team: team.isEmpty ? nil : team, project: project.isEmpty ? nil : project)
        if key.team == nil, key.project == nil { return 0 }
        if let known = owners[key] { return known }
        let id = Int64(owners.count + 1)
        try insertOwner.run(.integer(id), SQLValue(key.team), SQLValue(key.project))
        owners[key] = id
        return id
    }

    /// The number of a series, given on its first sight with the attribution that holds for it.
    func series(_ key: SeriesKey) throws(ProjectionFailure) -> Int64 {
        if let known = seriesByKey[key] { return known }
        let id = Int64(series.count + 1)
        guard id <= CellID.seriesMask else {
            throw ProjectionFailure(code: "series-exhausted", message: "more than \(CellID.seriesMask) series of costs")
        }
        insertSeries.bind(all: [.integer(id)] + key.columns)
        try insertSeries.run()
        try remember(key, id: id, lastMeteredBucket: .min)
        try store(series[Int(id - 1)].timeline, of: id)
        return id
    }

    private func remember(_ key: SeriesKey, id: Int64, lastMeteredBucket: Int64) throws(ProjectionFailure) {
        let account = scopeKeys[Int(key.scope - 1)].account
        let model = try label(key.model ?? "")
        let entry = Series(
            id: id, key: key, account: account, model: model, peers: peers(account: account, model: model),
            lastMeteredBucket: lastMeteredBucket)
        entry.timeline = try timeline(of: entry)
        entry.peers.add(id, key)
        series.append(entry)
        seriesByKey[key] = id
        seriesOfScope[key.scope, default: []].append(id)
        if key.basis == .estimated {
            if let project = key.project { seriesOfProject[project, default: []].append(id) }
            if scopeKeys[Int(key.scope - 1)].providerProject == nil { unplacedCalls[account, default: []].append(id) }
        } else if let apiKey = key.apiKey {
            seriesOfKey[Subject(account: account, kind: "key", id: apiKey), default: []].append(id)
        }
        if key.basis == .metered, let model = key.model, let kind = key.kind {
            let modelKey = AccountKey(provider: String(account), name: model)
            if kindOfModel[modelKey] == nil { kindOfModel[modelKey] = kind }
        }
    }

    private func peers(account: Int64, model: Int64) -> ModelPeers {
        let key = AccountModel(account: account, model: model)
        if let known = peersOfModel[key] { return peers[known] }
        let fresh = ModelPeers(number: peers.count)
        peersOfModel[key] = fresh.number
        peers.append(fresh)
        return fresh
    }

    /// The provider's project of a series; nil where it said null, and on calls whose upstream names none.
    func providerProject(_ series: Series) -> String? { scopeKeys[Int(series.key.scope - 1)].providerProject }

    /// The service whose metered rows first named the model: a bill's line knows only the model.
    func kind(ofModel model: String, account: Int64) -> String? {
        kindOfModel[AccountKey(provider: String(account), name: model)]
    }

    private func timeline(of series: Series) throws(ProjectionFailure) -> AttributionTimeline {
        if series.key.basis == .estimated { return try timeline(ofProject: series.key.project ?? "") }
        let key = series.key.apiKey.flatMap { assignments[Subject(account: series.account, kind: "key", id: $0)] }
        let project = scopeKeys[Int(series.key.scope - 1)].providerProject.flatMap {
            assignments[Subject(account: series.account, kind: "provider-project", id: $0)]
        }
        return AttributionRule.timeline(key: key ?? [], project: project ?? [])
    }

    /// A gateway's key belongs to one project for ever; the project's team may change.
    private func timeline(ofProject project: String) throws(ProjectionFailure) -> AttributionTimeline {
        var timeline = AttributionTimeline()
        let spans = teams[project]?.spans ?? []
        if spans.first?.from != nil || spans.isEmpty {
            timeline.spans.append(.init(begins: 0, owner: try owner(team: "", project: project), rule: "gateway-key"))
        }
        for span in spans {
            let owner = try owner(team: span.value, project: project)
            timeline.spans.append(.init(begins: span.from?.seconds ?? 0, owner: owner, rule: "gateway-key"))
        }
        return timeline
    }

    /// - Parameter second: from when on; nil: from the beginning.
    /// - Returns: the series of calls that it concerns.
    @discardableResult
    func setTeam(of project: String, _ team: String, from second: Int64?) -> [Int64] {
        teams[project, default: Timeline()].set(team, from: second.map { Timestamp(seconds: $0) })
        return seriesOfProject[project] ?? []
    }

    private func store(_ timeline: AttributionTimeline, of series: Int64) throws(ProjectionFailure) {
        try deleteSpans.run(.integer(series))
        for span in timeline.spans {
            try insertSpan.run(
                .integer(series), .integer(span.begins), .integer(span.owner), SQLValue(span.rule),
                SQLValue(span.version))
        }
    }

    /// Adds an assignment (one of equal version and beginning is replaced).
    /// - Returns: the series that it may concern.
    func assign(_ assignment: Assignment, to subject: Subject) -> [Int64] {
        assignments[subject, default: []].removeAll {
            $0.version == assignment.version && $0.begins == assignment.begins
        }
        assignments[subject, default: []].append(assignment)
        if subject.kind == "key" { return seriesOfKey[subject] ?? [] }
        return scopes[ScopeKey(account: subject.account, providerProject: subject.id)].flatMap { seriesOfScope[$0] }
            ?? []
    }

    /// Works out a series' attribution anew and keeps it.
    /// - Returns: whether it changed.
    func refreshTimeline(of id: Int64) throws(ProjectionFailure) -> Bool {
        let fresh = try timeline(of: series[Int(id - 1)])
        if fresh == series[Int(id - 1)].timeline { return false }
        series[Int(id - 1)].timeline = fresh
        try store(fresh, of: id)
        return true
    }

    /// A bill takes or leaves force.
    func setInForce(_ key: ForceKey, _ value: Bool) { forces.set(key, account: account(of: key), value) }

    private func account(of key: ForceKey) -> Int64 { scopeKeys[Int(key.scope - 1)].account }

    /// The series that may be told differently when a bill takes or leaves force there.
    func series(concernedBy key: ForceKey) -> [Int64] {
        let own = seriesOfScope[key.scope] ?? []
        guard let unplaced = unplacedCalls[account(of: key)] else { return own }
        let isOwn = Set(own)
        return own + unplaced.filter { !isOwn.contains($0) }
    }

    /// What cells of a series count for on a UTC day: where a bill is in force, all else yields to it.
    /// - Parameter yields: of an estimate, whether metered usage has taken its place.
    func standing(_ series: Series, utcDay: Int64, yields: Bool) -> Standing {
        let anywhere = series.key.basis == .estimated && providerProject(series) == nil
        return .init(
            series.key.basis, yields: yields,
            isBilled: forces.covers(
                scope: series.key.scope, account: series.account, anywhere: anywhere, utcDay: utcDay))
    }
}

extension Standing {
    init(_ basis: CostBasis, yields: Bool, isBilled: Bool) {
        switch basis {
        case .billed: self = isBilled ? .counts : .yields
        case .metered: self = isBilled ? .quantities : .counts
        case .estimated: self = yields ? .yields : isBilled ? .quantities : .counts
        }
    }
}

/// Where bills are in force. A call whose upstream names no project of the provider is on its account's bill, whichever
/// project the bill files it under.
struct BillForces {
    private struct AccountDay: Hashable { var account: Int64; var utcDay: Int64 }

    private var scopes: Set<Dimensions.ForceKey> = []
    private var accounts: [AccountDay: Int] = [:]

    var isEmpty: Bool { scopes.isEmpty }

    func contains(_ key: Dimensions.ForceKey) -> Bool { scopes.contains(key) }

    mutating func set(_ key: Dimensions.ForceKey, account: Int64, _ value: Bool) {
        guard scopes.contains(key) != value else { return }
        if value { scopes.insert(key) } else { scopes.remove(key) }
        accounts[AccountDay(account: account, utcDay: key.utcDay), default: 0] += value ? 1 : -1
    }

    /// - Parameter anywhere: whether a bill of any scope of the account counts.
    func covers(scope: Int64, account: Int64, anywhere: Bool, utcDay: Int64) -> Bool {
        if scopes.isEmpty { return false }
        if anywhere { return (accounts[AccountDay(account: account, utcDay: utcDay)] ?? 0) > 0 }
        return scopes.contains(Dimensions.ForceKey(scope: scope, utcDay: utcDay))
    }
}
