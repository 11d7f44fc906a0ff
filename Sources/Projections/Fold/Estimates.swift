/// Calls on their way into cells. A series has thousands of calls an hour, so what they add gathers here and meets the cell
/// once a transaction.
struct Estimates {
    /// What calls add to the hour of a series.
    struct Addition {
        var requests: Int64 = 0
        var inputTokens: Int64 = 0
        var cachedInputTokens: Int64 = 0
        var outputTokens: Int64 = 0
        var detail: [Int64]?
        /// nil: they are unpriced; a series has calls of one kind only.
        var cost: Int64?
        var terms: Int64
        /// Of the last call.
        var position: Int64
        /// Unix seconds at which the last one ended.
        var observed: Int64
    }

    private(set) var additions: [Int64: Addition] = [:]

    var isEmpty: Bool { additions.isEmpty }

    /// - Parameter cell: the id of the hour of a series.
    /// - Throws: `ProjectionFailure` `sum-overflow` where a sum would leave the 64-bit integers.
    mutating func add(_ addition: Addition, to cell: Int64, _ terms: TermsTable) throws(ProjectionFailure) {
        guard let index = additions.index(forKey: cell) else {
            additions[cell] = addition
            return
        }
        try additions.values[index].add(addition, terms)
    }

    mutating func removeAll() { additions.removeAll(keepingCapacity: true) }
}

extension Estimates.Addition {
    init(_ quantities: UsageQuantities, cost: Int64?, terms: Int64, position: Int64, observed: Int64) {
        self.init(
            requests: quantities.requests, inputTokens: quantities.inputTokens,
            cachedInputTokens: quantities.cachedInputTokens, outputTokens: quantities.outputTokens,
            detail: quantities.detail, cost: cost, terms: terms, position: position, observed: observed)
    }

    /// Makes of what a call adds what it takes away.
    mutating func negateCounts() {
        requests = -requests
        inputTokens = -inputTokens
        cachedInputTokens = -cachedInputTokens
        outputTokens = -outputTokens
        detail = detail?.map { -$0 }
    }

    /// Whether no unpriced call is left in it.
    var isNothing: Bool {
        cost == nil && requests | inputTokens | cachedInputTokens | outputTokens == 0 && detail == nil
    }

    /// What the cell says that is there already.
    init(_ cell: Cell, detail: [Int64]?) {
        self.init(
            requests: cell.requests, inputTokens: cell.inputTokens, cachedInputTokens: cell.cachedInputTokens,
            outputTokens: cell.outputTokens, detail: detail, cost: cell.cost, terms: cell.terms,
            position: cell.position, observed: cell.observed)
    }

    mutating func add(_ other: Self, _ table: TermsTable) throws(ProjectionFailure) {
        var tooFar = false
        func sum(_ left: Int64, _ right: Int64) -> Int64 {
            let (value, overflow) = left.addingReportingOverflow(right)
            tooFar = tooFar || overflow
            return value
        }
        requests = sum(requests, other.requests)
        inputTokens = sum(inputTokens, other.inputTokens)
        cachedInputTokens = sum(cachedInputTokens, other.cachedInputTokens)
        outputTokens = sum(outputTokens, other.outputTokens)
        if let more = other.detail {
            detail = detail.map { zip($0, more).map(sum) } ?? more
            // What is taken away again leaves what was never there.
            if detail?.allSatisfy({ $0 == 0 }) == true { detail = nil }
        }
        if let cost, let more = other.cost { self.cost = sum(cost, more) }
        terms = try table.common(terms, other.terms)
        position = max(position, other.position)
        observed = max(observed, other.observed)
        guard !tooFar else {
            throw ProjectionFailure(
                code: "sum-overflow", message: "the calls of one hour sum to more than the 64-bit integers hold")
        }
    }

    func cell(_ id: Int64, day: Int64) -> Cell {
        Cell(
            id: id, day: day, requests: requests, inputTokens: inputTokens, cachedInputTokens: cachedInputTokens,
            outputTokens: outputTokens, cost: cost, terms: terms, position: position, observed: observed)
    }
}
