/// What was metered in one hour, as far as spreading a bill needs it.
package struct MeteredCell: Hashable, Sendable {
    /// Unix seconds of the hour's beginning.
    package var hour: Int64
    /// The provider's own ids; nil in these three is where the provider said null.
    package var projectID: String?
    package var apiKeyID: String?
    package var model: String?
    /// nil: unpriced.
    package var costNanos: Int64?
    /// Input and output together.
    package var tokens: Int64
    /// The weight where nothing was counted in tokens.
    package var requests: Int64

    package init(
        hour: Int64, projectID: String? = nil, apiKeyID: String? = nil, model: String? = nil, costNanos: Int64?,
        tokens: Int64, requests: Int64 = 0
    ) {
        self.hour = hour
        self.projectID = projectID
        self.apiKeyID = apiKeyID
        self.model = model
        self.costNanos = costNanos
        self.tokens = tokens
        self.requests = requests
    }

    /// - Returns: nil for a row of zeros: nothing was metered there.
    init?(_ row: WireUsageRow) {
        let quantities = row.quantities
        if quantities.isZero { return nil }
        let intoTheHour = ((row.bucketStart % 3_600) + 3_600) % 3_600
        let (tokens, overflow) = quantities.inputTokens.addingReportingOverflow(quantities.outputTokens)
        self.init(
            hour: row.bucketStart - intoTheHour, projectID: row.hasProjectID ? row.projectID : nil,
            apiKeyID: row.hasApiKeyID ? row.apiKeyID : nil, model: row.hasModel ? row.model : nil,
            costNanos: row.hasCost ? row.cost.nanos : nil, tokens: overflow ? .max : tokens,
            requests: quantities.requests)
    }
}

extension UsageDay.State {
    /// Hours in which something was counted; rows of zeros are left out.
    package var meteredCells: [MeteredCell] { cells.values.compactMap { MeteredCell($0.row) } }
}
