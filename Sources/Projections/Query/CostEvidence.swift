package import EventLog
import FinOps

/// One cell behind a figure, with the event that said it last.
package struct CostEvidence: Hashable, Sendable {
    /// Where the event stands in the log.
    package var position: UInt64
    /// Its wire name.
    package var type: String
    /// Beginning of the metered hour, or of the hour a part of the bill was spread to.
    package var bucketStart: Timestamp
    /// Which statement about the consumption this is.
    package var basis: CostBasis
    package var provider: String
    package var account: String
    /// The kind of usage: `completions`, `embeddings` …; of a part of a bill, that of its model. nil where it has none.
    package var service: String?
    /// The provider's own id; nil where it said null.
    package var providerProject: String?
    /// The provider's id of the key, never the key itself; nil where it said null.
    package var key: String?
    package var model: String?
    /// nil, as is `project`: unattributed.
    package var team: String?
    package var project: String?
    /// Nano-units; nil: unpriced.
    package var cost: Int64?
    /// Of `cost`; not converted.
    package var currency: String?
    /// Tokens and requests as metered; 0 on parts of a bill.
    package var inputTokens: Int64
    package var outputTokens: Int64
    package var requests: Int64
    /// Which price list's which entry gave the cost; nil on parts of a bill and where there is no price.
    package var priceVersion: String?
    /// The rule that attributed it and the position of the mapping it follows; nil: unattributed.
    package var rule: String?
    /// nil: unattributed.
    package var ruleVersion: Int64?
}

/// The cells behind a figure: all that count for its basis.
package struct CostExplanation: Hashable, Sendable {
    /// By time.
    package var evidence: [CostEvidence] = []
    /// How many there are; `evidence` holds the first of them.
    package var count = 0
    /// Of all of them, in nano-units of the reporting currency.
    package var cost = Int128(0)
    /// Amounts in currencies without a rate, in nano-units, by code.
    package var unconverted: [String: Int128] = [:]
}

extension ProjectionReader {
    /// The events behind the figure that a query's filters select, by time.
    /// - Throws: `ProjectionFailure`.
    package func explain(_ query: CostQuery, limit: Int) throws -> CostExplanation {
        try read { connection in
            var explanation = CostExplanation()
            var amount = MixedAmount()
            let answer = try CostAnswer(connection, query, calendar)
            try answer.forEachCell { source, cell in
                guard answer.counts(source) else { return }
                explanation.count += 1
                let day = source.day.map { Day(number: Int($0)) }
                amount.add(source.sums.amount, currency: source.currency, day: day, query)
                if explanation.evidence.count < limit { explanation.evidence.append(try answer.evidence(source, cell)) }
            }
            explanation.cost = try amount.cost()
            explanation.unconverted = amount.unconverted
            return explanation
        }
    }
}
