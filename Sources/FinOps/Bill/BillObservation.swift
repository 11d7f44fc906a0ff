package import EventLog

/// One cost row as the provider delivers it: the amount is still its text.
package struct BillLine: Hashable, Sendable {
    /// Unix seconds; the UTC day it lies in is the day of the row.
    package var bucketStart: Int64
    /// Unix seconds, exclusive.
    package var bucketEnd: Int64
    /// The provider's own id; nil where it said null, which is a grouping value like any other.
    package var projectID: String?
    /// The provider's words for what is billed, often with a model's name; nil where it said null.
    package var lineItem: String?
    /// The provider's id of the key, never the key; nil where it said null.
    package var apiKeyID: String?
    /// As written, whether as a number or as a string.
    package var amountText: String
    /// In either case: `usd`.
    package var currency: String
    /// As written; kept as evidence, never calculated with.
    package var quantityText: String?
    /// As written; nil where it named none.
    package var quantityUnit: String?

    package init(
        bucketStart: Int64, bucketEnd: Int64, projectID: String? = nil, lineItem: String? = nil,
        apiKeyID: String? = nil, amountText: String, currency: String, quantityText: String? = nil,
        quantityUnit: String? = nil
    ) {
        self.bucketStart = bucketStart
        self.bucketEnd = bucketEnd
        self.projectID = projectID
        self.lineItem = lineItem
        self.apiKeyID = apiKeyID
        self.amountText = amountText
        self.currency = currency
        self.quantityText = quantityText
        self.quantityUnit = quantityUnit
    }
}

/// What one walk through a provider's costs saw of one account.
package struct BillObservation: Sendable {
    package let provider: String
    package let account: String
    /// When it was fetched.
    package let observed: Timestamp
    /// As delivered: several may share an identity.
    package let rows: [BillLine]
    /// The UTC days the walk covered, empty ones included: only on these can a row be said to have vanished.
    package let covered: Set<Day>

    package init(
        provider: String, account: String, observed: Timestamp, rows: [BillLine], covered: Set<Day>
    ) {
        self.provider = provider
        self.account = account
        self.observed = observed
        self.rows = rows
        self.covered = covered
    }

    /// The same by UTC day: one stream each.
    package var days: [Day: BillObservation] {
        let rows = Dictionary(grouping: rows) { Day(utc: Timestamp(seconds: $0.bucketStart)) }
        return Dictionary(
            uniqueKeysWithValues: Set(rows.keys).union(covered).map { day in
                (
                    day,
                    BillObservation(
                        provider: provider, account: account, observed: observed, rows: rows[day] ?? [],
                        covered: covered.contains(day) ? [day] : [])
                )
            })
    }
}

/// A cost row that cannot be taken as it is: which field of which row, and why.
package struct BillRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// The provider's name for it.
    package let field: String
    package let row: BillLine
    /// Completes the sentence that the field's name begins.
    package let reason: String

    /// Names the row by its identity.
    package var description: String {
        "cost row at \(row.bucketStart) (project \(row.projectID ?? "null"), line item \(row.lineItem ?? "null"), "
            + "key \(row.apiKeyID ?? "null")): \(field) \(reason)"
    }
}

/// What makes a cost row the same row in a later statement.
package struct BillIdentity: Hashable, Sendable {
    /// Unix seconds. nil in one of the others is where the provider said null.
    package let bucketStart: Int64
    package let projectID: String?
    package let lineItem: String?
    package let apiKeyID: String?

    package init(_ row: WireBillRow) {
        bucketStart = row.bucketStart
        projectID = row.hasProjectID ? row.projectID : nil
        lineItem = row.hasLineItem ? row.lineItem : nil
        apiKeyID = row.hasApiKeyID ? row.apiKeyID : nil
    }

    init(_ row: BillLine) {
        bucketStart = row.bucketStart
        projectID = row.projectID
        lineItem = row.lineItem
        apiKeyID = row.apiKeyID
    }
}

extension BillIdentity: Comparable {
    /// By bucket, then grouping values with null last.
    package static func < (left: BillIdentity, right: BillIdentity) -> Bool {
        if left.bucketStart != right.bucketStart { return left.bucketStart < right.bucketStart }
        for (mine, other) in [
            (left.projectID, right.projectID), (left.lineItem, right.lineItem), (left.apiKeyID, right.apiKeyID),
        ] where mine != other {
            guard let mine else { return false }
            return other.map { mine < $0 } ?? true
        }
        return false
    }
}
