/// What tells costs of one hour apart where they are watched. Null is a value.
struct CostSeries: Hashable, Sendable {
    /// What says so: of the same consumption, one counts.
    enum Basis: String, Sendable {
        case metered
        case billed
        case estimated
    }

    let basis: Basis
    let provider: String
    let account: String
    let providerProject: String?
    /// The provider's; of calls, the gateway's.
    let key: String?
    let model: String?
    /// By which usage and calls find each other.
    let tier: String
    /// Of usage, what else tells its rows apart.
    let rest: [String?]
    /// Of calls, the key of the provider that they were made with, where the gateway knows it.
    let providerKey: String?
    /// Whose cost it is: of calls, and of what is shared among them; nil: the assignments say it.
    var project: String?

    init(_ row: WireUsageRow) {
        let identity = UsageIdentity(row)
        basis = .metered
        (provider, account) = (row.provider, row.account)
        (providerProject, key, model) = (identity.projectID, identity.apiKeyID, identity.model)
        tier = CallShares.commonTier(batch: identity.batch, tier: identity.serviceTier)
        rest = [
            identity.kind, identity.batch.map { "\($0)" }, identity.serviceTier, identity.size, identity.source,
            identity.vectorStoreID, identity.contextLevel,
        ]
        providerKey = nil
    }

    init(_ event: WireBillAllocated, _ part: WireBillAllocated.Part) {
        basis = .billed
        (provider, account) = (event.provider, event.account)
        providerProject = event.hasProjectID ? event.projectID : nil
        key = part.hasApiKeyID ? part.apiKeyID : nil
        model = part.hasModel ? part.model : nil
        (tier, providerKey) = ("", nil)
        // Parts of different rows are shared each for itself.
        rest = [event.hasLineItem ? event.lineItem : nil, event.hasApiKeyID ? event.apiKeyID : nil]
    }

    init(_ call: WireCallRecorded) {
        basis = .estimated
        (provider, account) = (call.provider, call.account)
        providerProject = call.hasProviderProjectID ? call.providerProjectID : nil
        (key, model) = (call.key, call.model.isEmpty ? nil : call.model)
        tier = CallShares.commonTier(batch: call.batch, tier: call.serviceTier)
        rest = []
        providerKey = call.hasProviderKeyID ? call.providerKeyID : nil
        project = call.project
    }

    var scope: ForceScope { ForceScope(provider: provider, account: account, providerProject: providerProject) }

    /// Whether a call was made with the key and in the project of the provider that usage or a bill names, as far as the
    /// gateway knows them. Provider, account and model are the same.
    fileprivate func isOfKey(_ other: CostSeries) -> Bool {
        if let providerKey, providerKey != other.key { return false }
        return providerProject == nil || providerProject == other.providerProject
    }

    /// Whether usage or a bill is about a call: a bill knows no tiers.
    func isCall(in other: CostSeries) -> Bool { (other.basis == .billed || tier == other.tier) && isOfKey(other) }
}

/// What costs are told as: a key and a model, whoever says so.
struct CostCause: Hashable, Comparable, Sendable {
    let provider: String
    let account: String
    let providerProject: String?
    let key: String?
    let model: String?
    /// Whether `key` is the gateway's.
    let isGatewayKey: Bool

    init(_ series: CostSeries) {
        (provider, account, providerProject) = (series.provider, series.account, series.providerProject)
        (key, model) = (series.key, series.model)
        isGatewayKey = series.basis == .estimated
    }

    static func < (left: CostCause, right: CostCause) -> Bool { left.words.lexicographicallyPrecedes(right.words) }

    private var words: [String] { [provider, account, providerProject ?? "", key ?? "", model ?? ""] }
}

/// Where a bill may be in force on one UTC day.
struct ForceScope: Hashable, Sendable {
    var provider: String
    var account: String
    var providerProject: String?
}

/// A number for every series: costs are kept in arrays, and only a new series costs more than a look-up.
struct SeriesTable: Sendable {
    /// The series of one account and model: among them calls yield to usage, and lend it their projects.
    struct Peers: Sendable {
        fileprivate(set) var calls: [Int] = []
        /// Asked for every event: `calls` need not be fetched for it.
        fileprivate(set) var hasCalls = false
        /// Usage and bills, by the provider's key.
        fileprivate var told: [String?: [Int]] = [:]

        /// What usage and bills say of the keys of some calls; nil stands for calls with a key that nobody knows.
        func told(of keys: Set<String?>) -> [Int] {
            keys.contains(nil) ? told.values.flatMap(\.self) : keys.flatMap { told[$0] ?? [] }
        }
    }

    private struct AccountModel: Hashable {
        let provider: String
        let account: String
        let model: String?
    }

    private(set) var all: [CostSeries] = []
    /// By the number of the series; `allCauses` by theirs.
    private(set) var causes: [Int] = []
    private(set) var allCauses: [CostCause] = []
    /// By the number of the series; `groups` by theirs.
    private(set) var peers: [Int] = []
    private(set) var groups: [Peers] = []
    private var numbers: [CostSeries: Int] = [:]
    private var numbersOfCauses: [CostCause: Int] = [:]
    private var numbersOfGroups: [AccountModel: Int] = [:]

    mutating func number(of series: CostSeries) -> Int {
        if let known = numbers[series] { return known }
        let number = all.count
        numbers[series] = number
        all.append(series)
        causes.append(self.number(of: CostCause(series)))
        let group = self.group(of: series)
        peers.append(group)
        if series.basis == .estimated {
            groups[group].calls.append(number)
            groups[group].hasCalls = true
        } else if series.project == nil {
            groups[group].told[series.key, default: []].append(number)
        }
        return number
    }

    private mutating func number(of cause: CostCause) -> Int {
        if let known = numbersOfCauses[cause] { return known }
        numbersOfCauses[cause] = allCauses.count
        allCauses.append(cause)
        return allCauses.count - 1
    }

    private mutating func group(of series: CostSeries) -> Int {
        let key = AccountModel(provider: series.provider, account: series.account, model: series.model)
        if let known = numbersOfGroups[key] { return known }
        numbersOfGroups[key] = groups.count
        groups.append(Peers())
        return groups.count - 1
    }

    /// The part of a series that is on a project which made calls.
    mutating func share(of series: Int, for project: String) -> Int {
        var share = all[series]
        share.project = project
        return number(of: share)
    }
}
