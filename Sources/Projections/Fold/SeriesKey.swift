import CSQLite
import FinOps

/// Which of the three statements about the same consumption a cell is.
package enum CostBasis: Int64, Sendable {
    /// From usage, at the price list's prices.
    case metered = 0
    /// From the provider's bill, spread over hours, keys and models.
    case billed = 1
    /// From calls through a gateway, at the prices of their moment.
    case estimated = 2
}

/// What a cell gives to a figure in which every consumption counts once.
enum Standing: Int64, Sendable {
    /// Nothing: metered usage has taken the estimate's place, or the bill is not in force.
    case yields = 0
    /// Its cost and what was counted in it.
    case counts = 1
    /// What was counted in it: its cost yields to a bill, which knows no quantities.
    case quantities = 2
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
    /// From here on of calls alone; `apiKey` is then the gateway's key. What they cost is on this project.
    var project: String?
    /// The provider's id of the key that the gateway called with, where it is known.
    var providerKey: String?
    /// What callers said about them.
    var taskType: String?
    var intent: String?
    var feature: String?
    /// The currency of their costs, so that an hour of a series has one; nil: they are unpriced.
    var unit: String?

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

    init(estimated call: WireCallRecorded, scope: Int64) {
        func said(_ text: String) -> String? { text.isEmpty ? nil : text }
        basis = .estimated
        self.scope = scope
        kind = said(call.kind)
        apiKey = said(call.key)
        model = said(call.model)
        batch = call.batch
        serviceTier = said(call.serviceTier)
        project = said(call.project)
        providerKey = call.hasProviderKeyID ? call.providerKeyID : nil
        taskType = said(call.context.taskType)
        intent = said(call.context.intent)
        feature = said(call.context.feature)
        // Absent without a reason: there was nothing to price.
        unit = call.hasCost ? call.cost.currency : call.unpricedReason.isEmpty ? "" : nil
    }

    /// The tier by which metered usage and estimates find each other.
    var commonTier: String { CallShares.commonTier(batch: batch, tier: serviceTier) }

    /// In the order of `init(row:)` and of `columns`.
    static let columnNames = """
        id, basis, scope, kind, api_key, model, batch, service_tier, size, source, vector_store, context_level, line_item,
        bill_key, project, provider_key, task_type, intent, feature, unit
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
        project = row.optionalText(14)
        providerKey = row.optionalText(15)
        taskType = row.optionalText(16)
        intent = row.optionalText(17)
        feature = row.optionalText(18)
        unit = row.optionalText(19)
    }

    /// The columns of the table `series` after `id`.
    var columns: [SQLValue] {
        [
            .integer(basis.rawValue), .integer(scope), SQLValue(kind), SQLValue(apiKey), SQLValue(model),
            batch.map { SQLValue($0) } ?? .null, SQLValue(serviceTier), SQLValue(size), SQLValue(source),
            SQLValue(vectorStore), SQLValue(contextLevel), SQLValue(lineItem), SQLValue(billKey), SQLValue(project),
            SQLValue(providerKey), SQLValue(taskType), SQLValue(intent), SQLValue(feature), SQLValue(unit),
        ]
    }
}
