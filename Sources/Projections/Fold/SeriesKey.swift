import CSQLite
import FinOps

/// Which of the three statements about the same consumption a cell is.
package enum CostBasis: Int64, Sendable {
    /// From usage, at the price list's prices.
    case metered = 0
    /// From the provider's bill, spread over hours, keys and models.
    case billed = 1
    /// Kept for statements that nothing makes yet.
    case estimated = 2
}

/// Everything that tells rows of one bucket apart, the bucket aside. Null is a value.
struct SeriesKey: Hashable {
    var basis: CostBasis
    /// Provider, account and provider project, as the number of a scope.
    var scope: Int64
    var kind: String?
    var apiKey: String?
    var model: String?
    var batch: Bool?
    var serviceTier: String?
    var size: String?
    var source: String?
    var vectorStore: String?
    var contextLevel: String?
    /// Of a bill's row, which may name a key of its own beside the one its amount is spread to.
    var lineItem: String?
    var billKey: String?

    init(metered row: WireUsageRow, scope: Int64) {
        let identity = UsageIdentity(row)
        basis = .metered
        self.scope = scope
        kind = identity.kind
        apiKey = identity.apiKeyID
        model = identity.model
        batch = identity.batch
        serviceTier = identity.serviceTier
        size = identity.size
        source = identity.source
        vectorStore = identity.vectorStoreID
        contextLevel = identity.contextLevel
    }

    init(billed row: WireBillAllocated, part: WireBillAllocated.Part, scope: Int64, kind: String?) {
        basis = .billed
        self.scope = scope
        self.kind = kind
        apiKey = part.hasApiKeyID ? part.apiKeyID : nil
        model = part.hasModel ? part.model : nil
        lineItem = row.hasLineItem ? row.lineItem : nil
        billKey = row.hasApiKeyID ? row.apiKeyID : nil
    }

    /// In the order of `init(row:)` and of `columns`.
    static let columnNames = """
        id, basis, scope, kind, api_key, model, batch, service_tier, size, source, vector_store, context_level, line_item,
        bill_key
        """

    /// A row of the table `series`.
    init(row: Statement) {
        basis = CostBasis(rawValue: row.integer(1)) ?? .metered
        scope = row.integer(2)
        kind = row.optionalText(3)
        apiKey = row.optionalText(4)
        model = row.optionalText(5)
        batch = row.optionalInteger(6).map { $0 != 0 }
        serviceTier = row.optionalText(7)
        size = row.optionalText(8)
        source = row.optionalText(9)
        vectorStore = row.optionalText(10)
        contextLevel = row.optionalText(11)
        lineItem = row.optionalText(12)
        billKey = row.optionalText(13)
    }

    /// The columns of the table `series` after `id`.
    var columns: [SQLValue] {
        [
            .integer(basis.rawValue), .integer(scope), SQLValue(kind), SQLValue(apiKey), SQLValue(model),
            batch.map { SQLValue($0) } ?? .null, SQLValue(serviceTier), SQLValue(size), SQLValue(source),
            SQLValue(vectorStore), SQLValue(contextLevel), SQLValue(lineItem), SQLValue(billKey),
        ]
    }
}
