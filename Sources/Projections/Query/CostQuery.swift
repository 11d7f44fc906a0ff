package import FinOps

/// What costs can be grouped by and filtered by.
package enum CostDimension: String, CaseIterable, Hashable, Sendable {
    case team, project, provider, account, service, key, model, tier, batch
    /// The provider's own project; `project` is ours.
    case providerProject = "provider-project"
    /// What callers said of calls through a gateway; null for metered and billed costs.
    case taskType = "task-type"
    case intent, feature
    /// Of the business zone; weeks are ISO 8601's, such as `2026-W47`.
    case hour, day, week, month

    /// Its name in an answer.
    package var column: String {
        switch self {
        case .providerProject: "provider_project"
        case .taskType: "task_type"
        default: rawValue
        }
    }

    /// Whether its values are a caller's word, which nobody has checked.
    package var isCallerSupplied: Bool { [.taskType, .intent, .feature].contains(self) }

    var isTime: Bool { [.hour, .day, .week, .month].contains(self) }

    /// Whether the small daily totals know it, so that the finer tables need not be read.
    var isInTotals: Bool { [.team, .project, .provider, .account, .model, .day, .week, .month].contains(self) }
}

/// A question about costs.
package struct CostQuery: Hashable, Sendable {
    /// Which statement about the consumption counts.
    package enum Basis: String, CaseIterable, Hashable, Sendable {
        /// One kind of statement alone, whatever is in force.
        case metered, billed, estimated
        /// What is in force: the bill where there is one, otherwise what was metered, otherwise what calls estimate.
        case best
    }

    /// In the order of the answer's columns; none gives one row.
    package var by: [CostDimension]
    /// Business days, both ends inclusive.
    package var from: Day
    /// The last one that counts.
    package var through: Day
    /// Which statement's cost is added up. Tokens and requests are the calls' own with `estimated`, else the metered ones;
    /// with `best` those of calls are among them that nothing was metered for.
    package var basis = Basis.best
    /// Only what has this value; times cannot be filtered by. The text `none` stands for null.
    package var filters: [CostDimension: String] = [:]
    /// The reporting currency: what no rate converts into it is listed apart, never added.
    package var currency = "USD"
    /// Into `currency`; none converts nothing.
    package var rates = ExchangeRates()

    package init(by: [CostDimension], from: Day, through: Day) {
        self.by = by
        self.from = from
        self.through = through
    }

    /// The filter's word for null: unattributed, or a grouping value the provider left out.
    package static let none = "none"
}

/// Sums of an answer's row; `CostQuery.basis` says whose tokens and requests they are.
package struct CostSums: Hashable, Sendable {
    package init() {}

    /// Nano-units of the reporting currency.
    package var cost = Int128(0)
    /// Amounts in currencies without a rate, in nano-units, by code; not in `cost`.
    package var unconverted: [String: Int128] = [:]
    /// Metered rows, and hours of calls, without a price that the basis would have counted; not in `cost`.
    package var unpricedRows = Int128(0)
    package var inputTokens = Int128(0)
    /// The part of `inputTokens` that the provider read from its cache.
    package var cachedInputTokens = Int128(0)
    package var outputTokens = Int128(0)
    /// Model requests as the provider counts them.
    package var requests = Int128(0)

    /// Nothing at all: such rows are left out of an answer.
    package var isZero: Bool { self == CostSums() }

    static func += (left: inout CostSums, right: CostSums) {
        left.cost += right.cost
        left.unconverted.merge(right.unconverted, uniquingKeysWith: +)
        left.unpricedRows += right.unpricedRows
        left.inputTokens += right.inputTokens
        left.cachedInputTokens += right.cachedInputTokens
        left.outputTokens += right.outputTokens
        left.requests += right.requests
    }
}

/// What has no price and the basis would have counted: never zero cost, always told.
package struct UnpricedSums: Hashable, Sendable {
    package var rows = Int128(0)
    package var inputTokens = Int128(0)
    package var outputTokens = Int128(0)
    package var requests = Int128(0)
}

/// The answer: rows sorted by their dimensions, null last.
package struct CostReport: Hashable, Sendable {
    /// One combination of dimensions, null last, and its sums.
    package struct Row: Hashable, Sendable {
        /// One for each asked dimension; nil is null.
        package var dimensions: [String?]
        package var sums: CostSums
    }

    package var rows: [Row] = []
    /// Over all rows, converted once as a whole: where rates apply it may differ from the rows' sum by their rounding.
    package var total = CostSums()
    /// Over all rows; their tokens and requests are in `total` as well.
    package var unpriced = UnpricedSums()
    /// What of the total's cost was converted, and at which rates.
    package var converted: [ConvertedAmount] = []
    /// Whether hour buckets lie across midnights of the zone, so that days are off by part of an hour.
    package var daysAreApproximate = false
}
