import EventLog
import FinOps

/// Administration: the tables of teams, projects, keys and connections, and the audit trail of who changed them and why.
extension ProjectionFold {
    func apply(_ event: WireTeamAdded, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO teams VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET owner = excluded.owner,
            budget = excluded.budget, currency = excluded.currency, position = excluded.position
            """,
            .text(event.team), .text(event.owner), event.hasBudget ? .integer(event.budget.nanos) : .null,
            SQLValue(event.hasBudget ? event.budget.currency : nil), position(context))
        try audit(context, event.team, "", event.reason)
    }

    func apply(_ event: WireProjectAdded, _ context: ProjectedEvent) throws {
        try setTeam(of: event.project, event.team, from: nil, context)
        try audit(context, event.project, "team \(event.team)", event.reason)
    }

    func apply(_ event: WireProjectMoved, _ context: ProjectedEvent) throws {
        try setTeam(of: event.project, event.team, from: event.hasFrom ? event.from : nil, context)
        try audit(context, event.project, "team \(event.team)" + since(event.hasFrom, event.from), event.reason)
    }

    private func setTeam(of project: String, _ team: String, from second: Int64?, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO projects VALUES (?,?,?)
            ON CONFLICT DO UPDATE SET team = excluded.team, position = excluded.position
            """, .text(project), .text(team), position(context))
        try run(
            "INSERT INTO project_teams VALUES (?,?,?,?)", position(context), .text(project), .text(team),
            SQLValue(second))
        try rollups.flush()
        var touched: Set<Int> = []
        for id in dimensions.setTeam(of: project, team, from: second) where try dimensions.refreshTimeline(of: id) {
            let series = dimensions.series[Int(id - 1)]
            try reattribute(series)
            touched.insert(series.peers.number)
        }
        if !touched.isEmpty { try contestShares(of: touched) }
    }

    func apply(_ event: WireConnectionMade, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO connections VALUES (?,?,?,?,?,0,?) ON CONFLICT DO UPDATE SET base_url = excluded.base_url,
            api = excluded.api, key_mask = excluded.key_mask, removed = 0, position = excluded.position
            """,
            .text(event.provider), .text(event.account), .text(event.baseURL), .text(event.api), .text(event.keyMask),
            position(context))
        try audit(context, "\(event.provider)/\(event.account)", "\(event.baseURL) \(event.keyMask)", event.reason)
    }

    func apply(_ event: WireConnectionRemoved, _ context: ProjectedEvent) throws {
        try run(
            "UPDATE connections SET removed = 1, position = ? WHERE provider = ? AND account = ?", position(context),
            .text(event.provider), .text(event.account))
        try audit(context, "\(event.provider)/\(event.account)", "", event.reason)
    }

    func apply(_ event: WireKeyMapped, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO api_keys VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET project = excluded.project,
            begins = excluded.begins, position = excluded.position
            """,
            .text(event.provider), .text(event.providerKeyID), .text(event.project),
            event.hasFrom ? .integer(event.from) : .null, position(context))
        let detail = "project \(event.project)" + since(event.hasFrom, event.from)
        try audit(context, "\(event.provider)/\(event.providerKeyID)", detail, event.reason)
    }

    func apply(_ event: WireProviderProjectMapped, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO provider_projects VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET project = excluded.project,
            begins = excluded.begins, position = excluded.position
            """,
            .text(event.provider), .text(event.providerProjectID), .text(event.project),
            event.hasFrom ? .integer(event.from) : .null, position(context))
        let detail = "project \(event.project)" + since(event.hasFrom, event.from)
        try audit(context, "\(event.provider)/\(event.providerProjectID)", detail, event.reason)
    }

    func apply(_ event: WireModelUnpriced, _ context: ProjectedEvent) throws {
        try run(
            "INSERT INTO unpriced VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET reason = excluded.reason",
            .text(event.provider), .text(event.model), .text(event.account), .text(event.day), .text(event.reason),
            position(context))
    }

    func position(_ context: ProjectedEvent) -> SQLValue { .integer(Int64(context.position)) }

    func audit(_ context: ProjectedEvent, _ subject: String, _ detail: String, _ reason: String) throws {
        try run(
            "INSERT INTO audit_log VALUES (?,?,?,?,?,?,?)", position(context), .integer(context.recorded.microseconds),
            .text(context.actor), .text(context.type.text), .text(subject), .text(detail), .text(reason))
    }

    private func since(_ given: Bool, _ second: Int64) -> String {
        guard given else { return " from the beginning" }
        let instant = Timestamp(seconds: second)
        let day = days.calendar.day(of: instant)
        return days.calendar.start(of: day) == instant ? " from \(day)" : " from \(instant.rfc3339Seconds)"
    }
}
