import CSQLite

/// The small tables that give texts their numbers, kept in memory: they grow with keys, projects and models, never with
/// events. Numbers are given in log order, so every build of the same log gives the same ones.
final class Dimensions {
    struct AccountKey: Hashable { var provider: String; var name: String }
    struct ScopeKey: Hashable { var account: Int64; var providerProject: String? }
    struct OwnerKey: Hashable { var team: String?; var project: String? }
    struct Subject: Hashable { var account: Int64; var kind: String; var id: String }
    struct ForceKey: Hashable { var scope: Int64; var utcDay: Int64 }

    /// A class: a row of usage looks at it without copying ten texts.
    final class Series {
        let id: Int64
        let key: SeriesKey
        let account: Int64
        let model: Int64
        fileprivate(set) var timeline = AttributionTimeline()
        /// The start of the latest bucket of usage: a later one has no cell yet. A series that was here before this program
        /// began says nothing about its cells: no bucket is later than `max`.
        var lastMeteredBucket: Int64
        /// Where the rollups last added to a sum of this series; they look whether it is still there.
        var lastSum = 0

        init(id: Int64, key: SeriesKey, account: Int64, model: Int64, lastMeteredBucket: Int64) {
            self.lastMeteredBucket = lastMeteredBucket
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
    private var labels: [String: Int64] = [:]
    private var owners: [OwnerKey: Int64] = [:]
    private var seriesByKey: [SeriesKey: Int64] = [:]
    private var assignments: [Subject: [Assignment]] = [:]
    private var kindOfModel: [AccountKey: String] = [:]
    private(set) var inForce: Set<ForceKey> = []

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
        insertSeries = try Statement(connection, "INSERT INTO series VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
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
        { inForce.insert(row) }
        try loadAssignments(connection)
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
        let entry = Series(
            id: id, key: key, account: account, model: try label(key.model ?? ""), lastMeteredBucket: lastMeteredBucket)
        entry.timeline = timeline(of: entry)
        series.append(entry)
        seriesByKey[key] = id
        seriesOfScope[key.scope, default: []].append(id)
        if let apiKey = key.apiKey {
            seriesOfKey[Subject(account: account, kind: "key", id: apiKey), default: []].append(id)
        }
        if key.basis == .metered, let model = key.model, let kind = key.kind {
            let modelKey = AccountKey(provider: String(account), name: model)
            if kindOfModel[modelKey] == nil { kindOfModel[modelKey] = kind }
        }
    }

    /// The service whose metered rows first named the model: a bill's line knows only the model.
    func kind(ofModel model: String, account: Int64) -> String? {
        kindOfModel[AccountKey(provider: String(account), name: model)]
    }

    private func timeline(of series: Series) -> AttributionTimeline {
        let key = series.key.apiKey.flatMap { assignments[Subject(account: series.account, kind: "key", id: $0)] }
        let project = scopeKeys[Int(series.key.scope - 1)].providerProject.flatMap {
            assignments[Subject(account: series.account, kind: "provider-project", id: $0)]
        }
        return AttributionRule.timeline(key: key ?? [], project: project ?? [])
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
        let fresh = timeline(of: series[Int(id - 1)])
        if fresh == series[Int(id - 1)].timeline { return false }
        series[Int(id - 1)].timeline = fresh
        try store(fresh, of: id)
        return true
    }

    func setInForce(_ key: ForceKey, _ value: Bool) {
        if value { inForce.insert(key) } else { inForce.remove(key) }
    }

    /// Whether cells of this basis count in that scope and UTC day: where a bill is in force, all else yields to it.
    func isInForce(_ series: Series, utcDay: Int64) -> Bool {
        inForce.contains(ForceKey(scope: series.key.scope, utcDay: utcDay)) == (series.key.basis == .billed)
    }
}
