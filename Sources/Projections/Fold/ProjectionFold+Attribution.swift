import EventLog
import FinOps

extension ProjectionFold {
    /// A mapping's answer, late or not: the series it concerns get their new owners, day by day from the rollups. Single
    /// cells are read only for the days in which an owner changes.
    func apply(_ event: WireAttributionAssigned, _ context: ProjectedEvent) throws {
        let kind: String
        let id: String
        switch event.subject {
        case .apiKeyID(let key): (kind, id) = ("key", key)
        case .providerProjectID(let project): (kind, id) = ("provider-project", project)
        case nil: throw Inapplicable("it names no subject")
        }
        guard let version = Int64(exactly: event.version) else { throw Inapplicable("version \(event.version)") }
        let account = try dimensions.account(provider: event.provider, name: event.account)
        let owner = try dimensions.owner(team: event.team, project: event.project)
        try run(
            """
            INSERT INTO assignments VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET team = excluded.team,
            project = excluded.project, position = excluded.position
            """,
            .text(event.provider), .text(event.account), .text(kind), .text(id), .integer(version),
            .integer(event.hasFrom ? event.from : 0), .text(event.team), .text(event.project),
            .integer(Int64(context.position)))
        try rollups.flush()
        let assignment = Assignment(begins: event.hasFrom ? event.from : 0, version: version, owner: owner)
        let subject = Dimensions.Subject(account: account, kind: kind, id: id)
        for series in dimensions.assign(assignment, to: subject) {
            if try dimensions.refreshTimeline(of: series) { try reattribute(dimensions.series[Int(series - 1)]) }
        }
    }

    func reattribute(_ series: Dimensions.Series) throws {
        let rows = try rollups.rows(ofSeries: series.id)
        for (part, rows) in Dictionary(grouping: rows, by: { DayPart(day: $0.key.day, utcDay: $0.key.utcDay) }) {
            let span = days.part(day: Int(part.day), ofUTCDay: Int(part.utcDay))
            // What is shared is on its shares' owners, whatever the key's own are.
            let isShared = series.key.basis != .estimated && series.peers.hasEstimates
            if isShared || series.timeline.changes(inside: span) {
                for row in rows { try rollups.add(row.sums, sign: -1, to: row.key) }
                for cell in try cells.cells(ofSeries: series.id, in: span) { try place(cell, sign: 1, of: series) }
                continue
            }
            let owner = Int32(series.timeline.owner(at: span.lowerBound))
            for row in rows where row.key.owner != owner {
                var key = row.key
                key.owner = owner
                try rollups.add(row.sums, sign: -1, to: row.key)
                try rollups.add(row.sums, to: key)
            }
        }
    }
}

private struct DayPart: Hashable {
    let day: Int32
    let utcDay: Int32
}
