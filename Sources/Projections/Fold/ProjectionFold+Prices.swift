import EventLog
import FinOps

/// Prices leave their trace in the audit log; what was repriced because of them is a row of `corrections`, with both costs.
extension ProjectionFold {
    func apply(_ event: WirePriceChanged, _ context: ProjectedEvent) throws {
        let what = event.removed ? "removed" : "version \(event.version)"
        try audit(context, "\(event.provider)/\(event.model)", "\(what) \(event.source)", event.reason)
    }

    func apply(_ event: WirePriceDefaultsChanged, _ context: ProjectedEvent) throws {
        try audit(context, event.provider, "version \(event.version)", event.reason)
    }

    func apply(_ event: WirePriceChangeProposed, _ context: ProjectedEvent) throws {
        let jumps = event.jumps.map { jump in
            "\(jump.provider)/\(jump.model) \(jump.name) \(jump.before) → \(jump.after)"
                + (jump.hasFrom ? " from \(jump.from)" : "")
        }
        try audit(context, event.id, jumps.joined(separator: ", "), event.reason)
    }

    func apply(_ event: WirePriceCorrectionStarted, _ context: ProjectedEvent) throws {
        let what = event.model.isEmpty ? event.provider : "\(event.provider)/\(event.model)"
        let days = (event.hasFrom ? " from \(event.from)" : "") + (event.hasTo ? " to \(event.to)" : "")
        try audit(context, event.id, what + days, event.reason)
    }

    func apply(_ event: WirePriceCorrectionAdvanced, _ context: ProjectedEvent) throws {
        guard event.finished else { return }
        let difference = "\(NanoText.text(Int128(event.difference.nanos))) \(event.difference.currency)"
        try audit(context, event.id, "finished: \(event.repriced) repriced, \(difference)", "")
    }

    func apply(_ event: WireUsageRepriced, _ context: ProjectedEvent) throws {
        let row = event.row
        try storeCorrection(
            "usage", event.correction, context,
            [
                .text(row.provider), .text(row.account), .text(row.kind),
                SQLValue(row.hasProjectID ? row.projectID : nil), SQLValue(row.hasApiKeyID ? row.apiKeyID : nil),
                SQLValue(row.hasModel ? row.model : nil), .integer(row.bucketStart * 1_000_000), .null, .null,
                event.hasPreviousCost ? .integer(event.previousCost.nanos) : .null,
                row.hasCost ? .integer(row.cost.nanos) : .null, .integer(event.difference.nanos),
                .text(event.difference.currency), .text(event.previousPriceVersion), .text(row.priceVersion),
                .text(event.reason),
            ])
    }

    func storeCorrection(of event: WireCallRepriced, _ context: ProjectedEvent) throws {
        let call = event.call
        try storeCorrection(
            "call", event.correction, context,
            [
                .text(call.provider), .text(call.account), .text(call.kind),
                SQLValue(call.project.isEmpty ? nil : call.project), SQLValue(call.key.isEmpty ? nil : call.key),
                SQLValue(call.model.isEmpty ? nil : call.model), .integer(call.started), .text(call.call),
                .integer(Int64(call.attempt)), event.hasPreviousCost ? .integer(event.previousCost.nanos) : .null,
                call.hasCost ? .integer(call.cost.nanos) : .null, .integer(event.difference.nanos),
                .text(event.difference.currency), .text(event.previousPriceVersion), .text(call.priceVersion),
                .text(event.reason),
            ])
    }

    private func storeCorrection(
        _ subject: SQLValue, _ correction: String, _ context: ProjectedEvent, _ values: [SQLValue]
    ) throws {
        let marks = Array(repeating: "?", count: values.count + 5).joined(separator: ",")
        let insert = try statement("INSERT INTO corrections VALUES (\(marks))")
        insert.bind(
            all: [
                position(context), .integer(context.recorded.microseconds), subject,
                SQLValue(correction.isEmpty ? nil : correction), .text(context.actor),
            ] + values)
        try insert.run()
    }
}
