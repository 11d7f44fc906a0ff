import EventLog

/// Texts for the numbers in rollups, read when first needed: an answer names few of them.
final class DimensionLookup {
    struct Account: Hashable { var provider: String; var name: String }
    struct Owner: Hashable { var team: String?; var project: String? }

    struct Series {
        var id: Int64
        var key: SeriesKey
        var accountID: Int64
        var account: Account
        var providerProject: String?
    }

    private var labels: [Int64: String] = [:]
    private var owners: [Int64: Owner] = [0: Owner()]
    private var accounts: [Int64: Account] = [:]
    /// Numbers of terms are their places, from 1.
    private let terms: [Terms]
    private let connection: OpaquePointer

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        self.connection = connection
        terms = try Terms.all(connection)
        for (id, text) in try Statement(connection, "SELECT id, text FROM label").rows(
            [], { ($0.integer(0), $0.text(1)) })
        {
            labels[id] = text
        }
        for (id, owner) in try Statement(connection, "SELECT id, team, project FROM owner").rows(
            [],
            {
                ($0.integer(0), Owner(team: $0.optionalText(1), project: $0.optionalText(2)))
            })
        { owners[id] = owner }
        for (id, account) in try Statement(connection, "SELECT id, provider, name FROM account").rows(
            [],
            {
                ($0.integer(0), Account(provider: $0.text(1), name: $0.text(2)))
            })
        { accounts[id] = account }
    }

    /// nil for 0, which stands for null.
    func label(_ id: Int64) throws(ProjectionFailure) -> String? { id == 0 ? nil : try known(labels[id], "label", id) }
    func owner(_ id: Int64) throws(ProjectionFailure) -> Owner { try known(owners[id], "owner", id) }
    func account(_ id: Int64) throws(ProjectionFailure) -> Account { try known(accounts[id], "account", id) }

    func terms(_ id: Int64) throws(ProjectionFailure) -> Terms {
        try known(terms.indices.contains(Int(id - 1)) ? terms[Int(id - 1)] : nil, "terms", id)
    }

    private func known<Value>(_ value: Value?, _ table: String, _ id: Int64) throws(ProjectionFailure) -> Value {
        guard let value else {
            throw ProjectionFailure(
                code: "projection-damaged", message: "\(table) \(id) is missing; rebuild the projections")
        }
        return value
    }

    func allSeries() throws -> [Series] {
        let scopes = Dictionary(
            uniqueKeysWithValues: try Statement(connection, "SELECT id, account, provider_project FROM scope").rows([])
            {
                ($0.integer(0), ($0.integer(1), $0.optionalText(2)))
            })
        return try Statement(connection, "SELECT \(SeriesKey.columnNames) FROM series ORDER BY id").rows([]) {
            row throws(ProjectionFailure) in
            let key = SeriesKey(row: row)
            let scope = try known(scopes[key.scope], "scope", key.scope)
            return Series(
                id: row.integer(0), key: key, accountID: scope.0, account: try account(scope.0),
                providerProject: scope.1)
        }
    }

    func timelines() throws -> [Int64: AttributionTimeline] {
        var timelines: [Int64: AttributionTimeline] = [:]
        for (series, span) in try Statement(
            connection, "SELECT series, begins, owner, rule, version FROM attribution ORDER BY series, begins"
        ).rows(
            [],
            {
                (
                    $0.integer(0),
                    AttributionTimeline.Span(
                        begins: $0.integer(1), owner: $0.integer(2), rule: $0.optionalText(3),
                        version: $0.optionalInteger(4))
                )
            })
        { timelines[series, default: AttributionTimeline()].spans.append(span) }
        return timelines
    }

    /// How the cells stand whose buckets begin in a half-open span.
    func standings(in span: Range<Timestamp>) throws -> CellStandings {
        var standings = CellStandings()
        for (scope, day, account) in try Statement(
            connection, "SELECT f.scope, f.utc_day, s.account FROM in_force f JOIN scope s ON s.id = f.scope"
        ).rows([], { ($0.integer(0), $0.integer(1), $0.integer(2)) }) {
            standings.forces.set(.init(scope: scope, utcDay: day), account: account, true)
        }
        let range = CellID.range(of: span)
        standings.yielding = Set(
            try Statement(connection, "SELECT id FROM yielding WHERE id >= ? AND id < ?").rows(range) { $0.integer(0) })
        for (id, share) in try Statement(
            connection, "SELECT id, \(Share.columns) FROM share WHERE id >= ? AND id < ? ORDER BY id, owner"
        ).rows(range, { ($0.integer(0), Share(row: $0, from: 1)) }) {
            standings.shares[id, default: []].append(share)
        }
        return standings
    }
}

/// Bills in force, estimates that yield, and cells that are shared: what an answer by cells needs beside them.
struct CellStandings {
    var forces = BillForces()
    var yielding: Set<Int64> = []
    var shares: [Int64: [Share]] = [:]

    func standing(of cell: Int64, _ series: DimensionLookup.Series) -> Standing {
        let isEstimate = series.key.basis == .estimated
        let isBilled = forces.covers(
            scope: series.key.scope, account: series.accountID, anywhere: isEstimate && series.providerProject == nil,
            utcDay: CellID.bucket(cell) / 86_400)
        return Standing(series.key.basis, yields: isEstimate && yielding.contains(cell), isBilled: isBilled)
    }
}
