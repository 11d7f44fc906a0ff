package import EventLog

/// A collection run, a row of `cron_logs`.
package struct RunEntry: Hashable, Sendable {
    /// Its event id as text; the correlation of all its events.
    package var run: String
    package var provider: String
    package var account: String
    /// `daily`, `poll`, `once` or `backfill`.
    package var kind: String
    /// Business days as `YYYY-MM-DD`, both included.
    package var fromDay: String
    package var toDay: String
    /// running, finished or failed.
    package var state: String
    /// When the log recorded that it began; nil where only its end is known.
    package var started: Timestamp?
    /// When the log recorded its end; nil while it is running.
    package var ended: Timestamp?
    /// Rows that the provider delivered; 0 unless it finished.
    package var rows: Int64
    /// Rows stated for the first time.
    package var recorded: Int64
    /// Rows that are now stated differently.
    package var restated: Int64
    /// Sent to the provider, repeated ones included.
    package var requests: Int64
    /// How many of these repeated one that failed.
    package var retries: Int64
    /// One a line; empty where there is nothing to tell.
    package var notes: String
    /// Why it failed, as a `SourceFailure` names it; like `message` nil unless it failed.
    package var code: String?
    /// For a person; nothing in it is secret.
    package var message: String?
    /// What may be shown of the key it was read with; nil unless it failed.
    package var keyMask: String?
    /// Of its first event.
    package var position: Int64
}

/// What an administrator did, and why.
package struct AuditEntry: Hashable, Sendable {
    /// Of the event that says so.
    package var position: Int64
    /// When the log recorded it.
    package var time: Timestamp
    /// An opaque id; of a person, the vault knows the name.
    package var actor: String
    /// The event's wire name.
    package var action: String
    /// What was changed, such as a team's name or `<stage>/<position>`.
    package var subject: String
    /// What changed about it.
    package var detail: String
    /// As the person gave it; empty where none was asked for.
    package var reason: String
}

/// A provider's change of mind about a row.
package struct RestatementEntry: Hashable, Sendable {
    /// Of the event that restated the row.
    package var position: Int64
    /// usage or bill.
    package var subject: String
    /// From here on the row's grouping values; nil where the provider said null.
    package var provider: String
    package var account: String
    package var service: String?
    package var providerProject: String?
    package var key: String?
    package var model: String?
    package var bucketStart: Timestamp
    /// The bucket had not ended when it was looked at before: growth, not a changed mind.
    package var isGrowth: Bool
    /// Nano-units; nil: unpriced.
    package var before: Int64?
    /// Nano-units; nil: unpriced.
    package var after: Int64?
    /// Nano-units: the new cost less the previous one, unpriced counted as 0.
    package var difference: Int64
    /// Of `difference`.
    package var currency: String?
}

/// How far an account's provider has published, as far as we have seen.
package struct AccountFreshness: Hashable, Sendable {
    package var provider: String
    package var account: String
    /// When usage or bills were last fetched and brought something new; nil: never.
    package var observed: Timestamp?
    /// The end of the newest bucket with usage, or when it was seen if it had not ended then; nil: none.
    package var usageThrough: Timestamp?
    /// The newest run that finished.
    package var lastRun: RunEntry?
}

extension ProjectionReader {
    /// Newest first. - Throws: `ProjectionFailure`.
    package func runs(limit: Int) throws -> [RunEntry] {
        try rows(
            "SELECT \(RunEntry.columns) FROM cron_logs ORDER BY position DESC LIMIT ?", [SQLValue(limit)],
            RunEntry.init(row:))
    }

    /// Newest first. - Throws: `ProjectionFailure`.
    package func audit(limit: Int) throws -> [AuditEntry] {
        try rows(
            "SELECT position, time, actor, action, subject, detail, reason FROM audit_log ORDER BY position DESC LIMIT ?",
            [SQLValue(limit)]
        ) { row in
            AuditEntry(
                position: row.integer(0), time: Timestamp(microseconds: row.integer(1)), actor: row.text(2),
                action: row.text(3), subject: row.text(4), detail: row.text(5), reason: row.text(6))
        }
    }

    /// Newest first. - Throws: `ProjectionFailure`.
    package func restatements(limit: Int, includingGrowth: Bool) throws -> [RestatementEntry] {
        try rows(
            """
            SELECT position, subject, provider, account, service, provider_project, api_key, model, bucket_start, growth,
            before_cost, after_cost, difference, currency
            FROM restatements WHERE growth <= ? ORDER BY position DESC LIMIT ?
            """,
            [SQLValue(includingGrowth), SQLValue(limit)]
        ) { row in
            RestatementEntry(
                position: row.integer(0), subject: row.text(1), provider: row.text(2), account: row.text(3),
                service: row.optionalText(4), providerProject: row.optionalText(5), key: row.optionalText(6),
                model: row.optionalText(7), bucketStart: Timestamp(seconds: row.integer(8)),
                isGrowth: row.integer(9) != 0, before: row.optionalInteger(10), after: row.optionalInteger(11),
                difference: row.integer(12), currency: row.optionalText(13))
        }
    }

    /// Every account that sent costs or was collected. - Throws: `ProjectionFailure`.
    package func freshness() throws -> [AccountFreshness] {
        let accounts = try rows("SELECT provider, name, observed, bucket_end FROM account ORDER BY provider, name") {
            row in
            AccountFreshness(
                provider: row.text(0), account: row.text(1),
                observed: row.integer(2) == 0 ? nil : Timestamp(seconds: row.integer(2)),
                usageThrough: row.integer(3) == 0 ? nil : Timestamp(seconds: min(row.integer(3), row.integer(2))))
        }
        return try accounts.map { account in
            var account = account
            account.lastRun = try rows(
                """
                SELECT \(RunEntry.columns) FROM cron_logs WHERE provider = ? AND account = ? AND state = 'finished'
                ORDER BY ended DESC LIMIT 1
                """, [.text(account.provider), .text(account.account)], RunEntry.init(row:)
            ).first
            return account
        }
    }

    func rows<Row>(_ sql: String, _ values: [SQLValue] = [], _ row: (Statement) -> Row) throws -> [Row] {
        try read { connection in try Statement(connection, sql).rows(values, row) }
    }
}

extension Statement {
    /// A time in microseconds, if there is one.
    func instant(_ column: Int32) -> Timestamp? { optionalInteger(column).map { Timestamp(microseconds: $0) } }
}

extension RunEntry {
    /// In the order of `init(row:)`.
    static let columns = """
        run, provider, account, kind, from_day, to_day, state, started, ended, rows, recorded, restated, requests, retries,
        notes, code, message, key_mask, position
        """

    /// A row of `cron_logs`.
    init(row: Statement) {
        self.init(
            run: row.text(0), provider: row.text(1), account: row.text(2), kind: row.text(3), fromDay: row.text(4),
            toDay: row.text(5), state: row.text(6), started: row.instant(7), ended: row.instant(8),
            rows: row.integer(9),
            recorded: row.integer(10), restated: row.integer(11), requests: row.integer(12), retries: row.integer(13),
            notes: row.text(14), code: row.optionalText(15), message: row.optionalText(16),
            keyMask: row.optionalText(17), position: row.integer(18))
    }
}
