/// All series of one account and model. Among them estimates yield to metered usage, and lend it the projects that a key of
/// the provider cannot tell apart.
final class ModelPeers {
    let number: Int
    /// Of calls through a gateway.
    private(set) var estimates: [Int64] = []
    private var metered: [String?: [Int64]] = [:]
    private var billed: [String?: [Int64]] = [:]
    /// The provider's keys that estimates name; nil is among them where one names none.
    private var estimatedKeys: Set<String?> = []

    init(number: Int) { self.number = number }

    var hasEstimates: Bool { !estimates.isEmpty }

    func add(_ series: Int64, _ key: SeriesKey) {
        switch key.basis {
        case .metered: metered[key.apiKey, default: []].append(series)
        case .billed: billed[key.apiKey, default: []].append(series)
        case .estimated:
            estimates.append(series)
            estimatedKeys.insert(key.providerKey)
        }
    }

    /// Metered series whose key some estimate may have been called with.
    var contestedUsage: [Int64] { contested(metered) }
    /// The same of what bills were spread to.
    var contestedBills: [Int64] { contested(billed) }

    private func contested(_ series: [String?: [Int64]]) -> [Int64] {
        if estimatedKeys.contains(nil) { return series.values.flatMap(\.self).sorted() }
        return estimatedKeys.flatMap { series[$0] ?? [] }.sorted()
    }
}
