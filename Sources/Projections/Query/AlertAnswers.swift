package import EventLog

/// A level of a threshold that the cost of a window reached: a row of `alerts`.
package struct AlertEntry: Hashable, Sendable {
    /// What has become of an alert.
    package enum State: String, Hashable, Sendable {
        /// Nobody said anything about it and it was not taken back.
        case open
        /// It stands, and its scope is quiet for now.
        case snoozed
        /// It stands, and somebody looks after it.
        case acknowledged
        /// A restatement, a bill, a mapping or another limit took it back.
        case cleared
    }

    /// Of the crossing.
    package var position: Int64
    /// When the log took the crossing.
    package var time: Timestamp
    /// project, team or organisation.
    package var scope: String
    /// Empty for the organisation.
    package var name: String
    /// A project's team; nil where it has none and for other scopes.
    package var team: String?
    /// day or week.
    package var window: String
    /// The window's first day in `zone`, as `YYYY-MM-DD`.
    package var firstDay: String
    package var windowStart: Timestamp
    /// Exclusive.
    package var windowEnd: Timestamp
    /// IANA name.
    package var zone: String
    /// Per cent of the limit.
    package var level: Int64
    /// Nano-units of `currency`, like every amount here.
    package var limit: Int64
    package var cost: Int64
    package var currency: String
    /// metered, billed, estimated or mixed.
    package var basis: String
    /// Of the event by which the cost reached the level.
    package var causePosition: Int64
    /// Usage was known up to here; nil where a bill alone was known.
    package var usageThrough: Timestamp?
    /// The window before, up to the same distance from its start.
    package var previous: Int64
    /// Straight line to the window's end.
    package var forecast: Int64
    /// What grew most against the window before; nil where nothing is known.
    package var cause: Cause?
    /// nil while it stands.
    package var clearing: Clearing?
    /// When somebody said to look after it; nil: nobody.
    package var acknowledged: Timestamp?
    /// An opaque id, as in the audit log.
    package var acknowledgedBy: String?
    /// The latest snooze of its scope, over or not; nil: none.
    package var snoozedUntil: Timestamp?
    /// When a message first told it, as the other side confirmed; nil: none yet.
    package var told: Timestamp?

    /// The consumer that grew most.
    package struct Cause: Hashable, Sendable {
        package var provider: String
        package var account: String?
        /// The provider's id.
        package var providerProject: String?
        /// The provider's id; the gateway's for a call.
        package var key: String?
        package var model: String?
        /// In the window.
        package var cost: Int64
        /// What that is more than in the window before.
        package var growth: Int64
    }

    /// How an alert was taken back.
    package struct Clearing: Hashable, Sendable {
        package var position: Int64
        package var time: Timestamp
        /// cost, limit, zone or removed.
        package var reason: String
        /// The window's cost at that time.
        package var cost: Int64
    }

    /// - Parameter now: of the pipeline's clock; a snooze that is over says nothing.
    package func state(now: Timestamp) -> State {
        if clearing != nil { return .cleared }
        if acknowledged != nil { return .acknowledged }
        return snoozedUntil.map { $0 > now } == true ? .snoozed : .open
    }
}

/// Something that should have happened and did not: a row of `conditions`.
package struct ConditionEntry: Hashable, Sendable {
    /// source-silent, evaluation-stalled, projection-lagging, costs-unexplained, usage-not-kept or usage-lost.
    package var kind: String
    /// Such as `openai/acme` or `projector`.
    package var subject: String
    /// Since when it lasted, as its event says.
    package var since: Timestamp
    /// For people.
    package var detail: String
    /// When the log took it.
    package var raised: Timestamp?
    /// nil while it lasts.
    package var ended: Timestamp?
    /// What ended it.
    package var ending: String?
    /// Of the event that raised it.
    package var position: Int64
}

/// Which alerts are asked for.
package struct AlertQuery: Hashable, Sendable {
    /// Leave out what was cleared, acknowledged or has ended.
    package var openOnly: Bool
    /// When it was found; nil: at any time.
    package var span: Range<Timestamp>?
    /// At most this many.
    package var limit: Int

    package init(openOnly: Bool, span: Range<Timestamp>?, limit: Int) {
        self.openOnly = openOnly
        self.span = span
        self.limit = limit
    }

    fileprivate var values: [SQLValue] {
        [
            SQLValue(openOnly), SQLValue(span?.lowerBound.microseconds ?? .min),
            SQLValue(span?.upperBound.microseconds ?? .max), SQLValue(limit),
        ]
    }
}

extension ProjectionReader {
    /// Newest first. - Throws: `ProjectionFailure`.
    package func alerts(_ query: AlertQuery) throws -> [AlertEntry] {
        try rows(
            """
            SELECT a.*, s.until, (
                SELECT min(told) FROM notification_items i WHERE i.cause = a.position AND i.kind = 'crossed')
            FROM alerts a LEFT JOIN snoozes s ON s.scope = a.scope AND s.name = a.name
            WHERE (?1 = 0 OR a.cleared_position IS NULL AND a.acknowledged IS NULL) AND a.time >= ?2 AND a.time < ?3
            ORDER BY a.position DESC LIMIT ?4
            """, query.values, AlertEntry.init(row:))
    }

    /// Newest first. - Throws: `ProjectionFailure`.
    package func conditions(_ query: AlertQuery) throws -> [ConditionEntry] {
        try rows(
            """
            SELECT kind, subject, since, detail, raised, ended, ending, position FROM conditions
            WHERE (?1 = 0 OR ended IS NULL) AND coalesce(raised, ended) >= ?2 AND coalesce(raised, ended) < ?3
            ORDER BY position DESC LIMIT ?4
            """, query.values
        ) { row in
            ConditionEntry(
                kind: row.text(0), subject: row.text(1), since: Timestamp(seconds: row.integer(2)), detail: row.text(3),
                raised: row.instant(4), ended: row.instant(5), ending: row.optionalText(6), position: row.integer(7))
        }
    }
}

extension AlertEntry {
    /// A row of `alerts` in the order of its columns, then the snooze and when it was told.
    fileprivate init(row: Statement) {
        position = row.integer(0)
        time = Timestamp(microseconds: row.integer(1))
        scope = row.text(2)
        name = row.text(3)
        team = row.optionalText(4)
        window = row.text(5)
        firstDay = row.text(6)
        windowStart = Timestamp(seconds: row.integer(7))
        windowEnd = Timestamp(seconds: row.integer(8))
        zone = row.text(9)
        level = row.integer(10)
        limit = row.integer(11)
        cost = row.integer(12)
        currency = row.text(13)
        basis = row.text(14)
        causePosition = row.integer(15)
        usageThrough = row.integer(16) == 0 ? nil : Timestamp(seconds: row.integer(16))
        previous = row.integer(17)
        forecast = row.integer(18)
        cause = row.optionalText(19).map {
            Cause(
                provider: $0, account: row.optionalText(20), providerProject: row.optionalText(21),
                key: row.optionalText(22), model: row.optionalText(23), cost: row.integer(24), growth: row.integer(25))
        }
        clearing = row.optionalInteger(26).map {
            Clearing(
                position: $0, time: Timestamp(microseconds: row.integer(27)), reason: row.text(28),
                cost: row.integer(29))
        }
        acknowledged = row.instant(30)
        acknowledgedBy = row.optionalText(31)
        snoozedUntil = row.optionalInteger(32).map { Timestamp(seconds: $0) }
        told = row.instant(33)
    }
}
