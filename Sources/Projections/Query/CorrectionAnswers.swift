package import EventLog

/// A metered row or a call whose cost was changed by other prices. Its counts never change.
package struct CorrectionEntry: Hashable, Sendable {
    /// Of the event that repriced it.
    package var position: Int64
    /// When the log recorded that.
    package var time: Timestamp
    /// usage or call.
    package var subject: String
    /// Its id; nil: what had no price got its first one.
    package var correction: String?
    /// Opaque id of the person.
    package var actor: String
    package var provider: String
    package var account: String
    /// The kind of usage.
    package var service: String
    /// The provider's project of a row, the project that pays of a call.
    package var project: String?
    /// The provider's key of a row, the gateway's of a call.
    package var key: String?
    package var model: String?
    /// Beginning of the row's hour, or of the call.
    package var started: Timestamp
    /// nil for a row.
    package var call: String?
    /// From 1; nil for a row.
    package var attempt: Int64?
    /// Nano-units of `currency`, in both; nil: unpriced.
    package var before: Int64?
    package var after: Int64?
    /// Nano-units: the new cost less the previous one, unpriced counted as 0.
    package var difference: Int64
    package var currency: String
    /// Which price list's which entry gave each; empty for none.
    package var beforeVersion: String
    package var afterVersion: String
    /// As it was given for the correction; empty for a first price.
    package var reason: String
}

extension ProjectionReader {
    /// Newest first.
    /// - Parameters:
    ///   - correction: only of this one; nil: of all.
    ///   - includingFirstPrices: also of what had no price before.
    ///   - after: goes on behind an earlier answer's last position.
    /// - Throws: `ProjectionFailure`.
    package func corrections(
        of correction: String? = nil, includingFirstPrices: Bool = false, after: Int64? = nil, limit: Int
    ) throws -> [CorrectionEntry] {
        try rows(
            """
            SELECT position, time, subject, correction, actor, provider, account, service, project, key, model, started,
            call, attempt, before_cost, after_cost, difference, currency, before_version, after_version, reason
            FROM corrections WHERE position < ? AND (correction IS NOT NULL OR ?) AND correction IS coalesce(?, correction)
            ORDER BY position DESC LIMIT ?
            """,
            [.integer(after ?? .max), SQLValue(includingFirstPrices), SQLValue(correction), SQLValue(limit)],
            CorrectionEntry.init(row:))
    }
}

extension CorrectionEntry {
    fileprivate init(row: Statement) {
        self.init(
            position: row.integer(0), time: Timestamp(microseconds: row.integer(1)), subject: row.text(2),
            correction: row.optionalText(3), actor: row.text(4), provider: row.text(5), account: row.text(6),
            service: row.text(7), project: row.optionalText(8), key: row.optionalText(9), model: row.optionalText(10),
            started: Timestamp(microseconds: row.integer(11)), call: row.optionalText(12),
            attempt: row.optionalInteger(13), before: row.optionalInteger(14), after: row.optionalInteger(15),
            difference: row.integer(16), currency: row.text(17), beforeVersion: row.text(18),
            afterVersion: row.text(19), reason: row.text(20))
    }
}
