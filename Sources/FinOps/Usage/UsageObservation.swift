package import EventLog

/// What one walk through a provider's usage saw of one account, in rows as delivered (their price fields are ignored).
package struct UsageObservation: Sendable {
    package let provider: String
    package let account: String
    /// When it was fetched.
    package let observed: Timestamp
    /// Several may share an identity: they are added.
    package let rows: [WireUsageRow]
    /// The buckets the walk covered, empty ones included: only in these can a row be said to have vanished.
    package let covered: Set<UsageBucket>

    package init(
        provider: String, account: String, observed: Timestamp, rows: [WireUsageRow], covered: Set<UsageBucket>
    ) {
        self.provider = provider
        self.account = account
        self.observed = observed
        self.rows = rows
        self.covered = covered
    }

    /// The same by UTC day: one stream each.
    package var days: [Day: UsageObservation] {
        func day(_ start: Int64) -> Day { Day(utc: Timestamp(seconds: start)) }
        let rows = Dictionary(grouping: rows) { day($0.bucketStart) }
        let covered = Dictionary(grouping: covered) { day($0.start) }
        return Dictionary(
            uniqueKeysWithValues: Set(rows.keys).union(covered.keys).map { day in
                (
                    day,
                    UsageObservation(
                        provider: provider, account: account, observed: observed, rows: rows[day] ?? [],
                        covered: Set(covered[day] ?? []))
                )
            })
    }
}

/// A row that cannot be taken as it is.
package enum UsageRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// Rows of one identity have, or add up to, a count that cannot be: negative, or 2^50 and more.
    case outOfRange(UsageIdentity)
    /// A row of another provider or account than the observation's.
    case foreignRow(provider: String, account: String)

    package var description: String {
        switch self {
        case .outOfRange(let row):
            "rows of \(row.kind) at \(row.bucketStart) (model \(row.model ?? "null")) have a count below 0 or of 2^50 and more"
        case .foreignRow(let provider, let account): "a row of \(provider)/\(account) does not belong here"
        }
    }
}
