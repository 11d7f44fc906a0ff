import EventLog
import FinOps

/// Rows of `restatements`: a closed bucket that the provider changed its mind about, or (`growth`) a running bucket that
/// was looked at before its end.
extension ProjectionFold {
    func apply(_ event: WireUsageRestated, _ context: ProjectedEvent) throws {
        let row = event.row
        try run(
            "INSERT INTO restatements VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            .integer(Int64(context.position)), "usage", .text(row.provider), .text(row.account), .text(row.kind),
            SQLValue(row.hasProjectID ? row.projectID : nil), SQLValue(row.hasApiKeyID ? row.apiKeyID : nil),
            SQLValue(row.hasModel ? row.model : nil), .integer(row.bucketStart), .integer(row.bucketEnd),
            SQLValue(event.previousObserved < row.bucketEnd),
            event.hasPreviousCost ? .integer(event.previousCost.nanos) : .null,
            row.hasCost ? .integer(row.cost.nanos) : .null, .integer(event.difference.nanos),
            SQLValue(row.hasCost ? row.cost.currency : event.hasPreviousCost ? event.previousCost.currency : nil),
            .integer(tokens(event.previous)), .integer(tokens(row.quantities)), .integer(event.previousObserved),
            .integer(event.observed))
    }

    func storeRestatement(_ event: WireBillRestated, _ context: ProjectedEvent) throws {
        let row = event.row
        try run(
            "INSERT INTO restatements VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            .integer(Int64(context.position)), "bill", .text(row.provider), .text(row.account), .null,
            SQLValue(row.hasProjectID ? row.projectID : nil), SQLValue(row.hasApiKeyID ? row.apiKeyID : nil),
            SQLValue(row.hasLineItem ? row.lineItem : nil), .integer(row.bucketStart), .integer(row.bucketEnd),
            SQLValue(event.previousObserved < row.bucketEnd), .integer(event.previous.nanos),
            .integer(row.amount.nanos), .integer(event.difference.nanos), .text(row.amount.currency), .integer(0),
            .integer(0), .integer(event.previousObserved), .integer(event.observed))
    }

    /// Input and output, clamped: a figure to compare by, not one to sum.
    private func tokens(_ quantities: WireQuantities) -> Int64 {
        let (sum, overflow) = quantities.inputTokens.addingReportingOverflow(quantities.outputTokens)
        return overflow ? .max : sum
    }
}
