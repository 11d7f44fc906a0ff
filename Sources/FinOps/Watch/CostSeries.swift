/// What tells costs of one hour apart where they are watched. Null is a value.
package struct CostSeries: Hashable, Sendable {
    package var provider: String
    package var account: String
    package var providerProject: String?
    package var key: String?
    package var model: String?

    package init(provider: String, account: String, providerProject: String?, key: String?, model: String?) {
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

    var scope: ForceScope { ForceScope(provider: provider, account: account, providerProject: providerProject) }
}

/// Where a bill may be in force on one UTC day.
struct ForceScope: Hashable, Sendable {
    var provider: String
    var account: String
    var providerProject: String?
}

/// A number for every series: costs are kept in arrays, and only a new series costs more than a look-up.
package struct SeriesTable: Sendable {
    package private(set) var all: [CostSeries] = []
    private var numbers: [CostSeries: Int] = [:]

    package init() {}

    package mutating func number(of series: CostSeries) -> Int {
        if let known = numbers[series] { return known }
        numbers[series] = all.count
        all.append(series)
        return all.count - 1
    }
}
