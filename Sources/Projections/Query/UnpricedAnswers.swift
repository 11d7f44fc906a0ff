package import FinOps

extension ProjectionReader {
    /// Models that calls through gateways used, that have no price yet, and of which the log has no `model.unpriced`. Whoever
    /// appends one ends it here; so does a price for all calls of the model.
    /// - Parameter limit: at most so many, in the order of provider and model.
    /// - Returns: each with the account and the UTC day of the first such call. The provider is named as prices name it.
    /// - Throws: `ProjectionFailure`.
    package func untoldUnpricedModels(limit: Int) throws -> [WireModelUnpriced] {
        try rows(
            """
            SELECT provider, model, account, day, reason FROM unpriced_calls c
            WHERE NOT EXISTS (SELECT 1 FROM unpriced u WHERE u.provider = c.provider AND u.model = c.model)
            ORDER BY provider, model LIMIT ?
            """, [SQLValue(limit)]
        ) { row in
            var model = WireModelUnpriced()
            (model.provider, model.model, model.account) = (row.text(0), row.text(1), row.text(2))
            (model.day, model.reason) = (row.text(3), row.text(4))
            return model
        }
    }
}
