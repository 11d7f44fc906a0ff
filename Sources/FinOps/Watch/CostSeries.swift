/// What tells costs of one hour apart where they are watched. Null is a value.
struct CostSeries: Hashable, Comparable, Sendable {
    var provider: String
    var account: String
    var providerProject: String?
    var key: String?
    var model: String?

    init(provider: String, account: String, providerProject: String?, key: String?, model: String?) {
        self.provider = provider
        self.account = account
        self.providerProject = providerProject
        self.key = key
        self.model = model
    }

    init(_ row: WireUsageRow) {
        self.init(
            provider: row.provider, account: row.account, providerProject: row.hasProjectID ? row.projectID : nil,
            key: row.hasApiKeyID ? row.apiKeyID : nil, model: row.hasModel ? row.model : nil)
    }

    init(_ event: WireBillAllocated, _ part: WireBillAllocated.Part) {
        self.init(
            provider: event.provider, account: event.account,
            providerProject: event.hasProjectID ? event.projectID : nil,
            key: part.hasApiKeyID ? part.apiKeyID : nil, model: part.hasModel ? part.model : nil)
    }

    static func < (left: CostSeries, right: CostSeries) -> Bool { left.words.lexicographicallyPrecedes(right.words) }

    private var words: [String] { [provider, account, providerProject ?? "", key ?? "", model ?? ""] }

    var scope: ForceScope { ForceScope(provider: provider, account: account, providerProject: providerProject) }
}

/// Where a bill may be in force on one UTC day.
struct ForceScope: Hashable, Sendable {
    var provider: String
    var account: String
    var providerProject: String?
}

/// A number for every series: costs are kept in arrays, and only a new series costs more than a look-up.
struct SeriesTable: Sendable {
    private(set) var all: [CostSeries] = []
    private var numbers: [CostSeries: Int] = [:]

    mutating func number(of series: CostSeries) -> Int {
        if let known = numbers[series] { return known }
        numbers[series] = all.count
        all.append(series)
        return all.count - 1
    }
}
