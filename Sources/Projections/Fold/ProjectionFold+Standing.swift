import FinOps

/// An hour of one account's model in which estimates and what the provider says may have met.
struct ContestedHour: Hashable {
    var peers: Int
    /// Unix seconds of its beginning.
    var hour: Int64

    /// What was said about it since it was last settled.
    enum Cause { case estimates, provider }
}

/// Where estimates meet metered usage and bills. An hour's outcome depends on its cells alone and is worked out at the end of
/// a transaction, so it is the same whatever came first and however the log was read.
///
/// * An estimate yields where something was metered for its account, model, tier and hour, and for its provider key and
///   project where the call named them.
/// * Metered and billed cells of a provider's key that calls went through are shared among the calls' owners by what their
///   estimates say: the provider knows one key, the gateway's keys know whose call it was.
extension ProjectionFold {
    /// Remembers that the provider said something about the hour of a cell. All sources' buckets begin on the hour.
    func contest(_ cell: Cell, of series: Dimensions.Series) {
        guard series.peers.hasEstimates else { return }
        let bucket = CellID.bucket(cell.id)
        contested[ContestedHour(peers: series.peers.number, hour: bucket - bucket % 3_600)] = .provider
    }

    /// Takes a cell out of the sums, whole or as it is shared; its shares are gone then.
    func withdraw(_ cell: Cell, of series: Dimensions.Series) throws(ProjectionFailure) {
        try place(cell, sign: -1, of: series)
        guard series.peers.hasEstimates else { return }
        try standings.setShares(of: cell.id, [])
        contest(cell, of: series)
    }

    /// Adds a cell to the sums as it stands, or takes it out of them.
    func place(_ cell: Cell, sign: Int64, of series: Dimensions.Series) throws(ProjectionFailure) {
        guard series.peers.hasEstimates else { return try add(cell, sign: sign, to: series) }
        if series.key.basis == .estimated {
            let key = key(of: cell, series: series, yields: try standings.isYielding(cell.id))
            return try rollups.add(cell.sums(basis: .estimated), sign: sign, to: key)
        }
        try place(cell, as: try standings.shares(of: cell.id), sign: sign, of: series)
    }

    private func place(_ cell: Cell, as shares: [Share], sign: Int64, of series: Dimensions.Series)
        throws(ProjectionFailure)
    {
        if shares.isEmpty { return try add(cell, sign: sign, to: series) }
        var key = key(of: cell, series: series)
        for share in shares {
            key.owner = Int32(share.owner)
            try rollups.add(share.sums(of: cell, basis: series.key.basis), sign: sign, to: key)
        }
    }

    /// Settles every hour about which something was said.
    func settle() throws(ProjectionFailure) {
        for (hour, cause) in contested { try settle(hour, cause) }
        contested.removeAll(keepingCapacity: true)
    }

    private typealias Member = (series: Dimensions.Series, cell: Cell)

    private func settle(_ contested: ContestedHour, _ cause: ContestedHour.Cause) throws(ProjectionFailure) {
        let peers = dimensions.peers[contested.peers]
        let usage = try members(peers.contestedUsage, contested.hour)
        let bills = try members(peers.contestedBills, contested.hour)
        // Where the provider has said nothing, and did not before, estimates stand as they were written.
        if cause == .estimates, usage.isEmpty, bills.isEmpty { return }
        var counted: [Member] = []
        for member in usage where try isSomething(member.cell) { counted.append(member) }
        let estimates = try members(peers.estimates, contested.hour)
        for estimate in estimates {
            try stand(estimate, yields: counted.contains { isSame(estimate.series, $0.series) })
        }
        for member in usage + bills {
            let claimants = estimates.filter { estimate in
                member.series.key.basis == .billed
                    ? isSameKey(estimate.series, member.series) : isSame(estimate.series, member.series)
            }
            try share(member, among: claimants, hour: contested.hour)
        }
    }

    private func members(_ series: [Int64], _ hour: Int64) throws(ProjectionFailure) -> [Member] {
        var members: [Member] = []
        for id in series {
            guard let cell = try cells.cell(CellID.make(bucket: hour, series: id)) else { continue }
            members.append((dimensions.series[Int(id - 1)], cell))
        }
        return members
    }

    /// A row of zeros is no usage: what the provider takes back leaves one.
    private func isSomething(_ cell: Cell) throws(ProjectionFailure) -> Bool {
        if cell.requests | cell.inputTokens | cell.cachedInputTokens | cell.outputTokens != 0 { return true }
        return try cells.detail(of: cell.id) != nil
    }

    private func isSame(_ estimate: Dimensions.Series, _ metered: Dimensions.Series) -> Bool {
        estimate.key.commonTier == metered.key.commonTier && isSameKey(estimate, metered)
    }

    /// Whether the estimate's call was made with that key and project of the provider, as far as it named them.
    private func isSameKey(_ estimate: Dimensions.Series, _ other: Dimensions.Series) -> Bool {
        if let key = estimate.key.providerKey, key != other.key.apiKey { return false }
        guard let project = dimensions.providerProject(estimate) else { return true }
        return project == dimensions.providerProject(other)
    }

    private func stand(_ estimate: Member, yields: Bool) throws(ProjectionFailure) {
        guard try standings.isYielding(estimate.cell.id) != yields else { return }
        try place(estimate.cell, sign: -1, of: estimate.series)
        try standings.setYielding(estimate.cell.id, yields)
        try place(estimate.cell, sign: 1, of: estimate.series)
    }

    private func share(_ member: Member, among estimates: [Member], hour: Int64) throws(ProjectionFailure) {
        var claims: [Int64: Share.Claim] = [:]
        for estimate in estimates {
            let owner = estimate.series.timeline.owner(at: hour)
            claims[owner, default: .init(project: estimate.series.key.project ?? "", owner: owner, cells: [])]
                .cells.append(estimate.cell)
        }
        let shares = claims.isEmpty ? [] : Share.split(member.cell, among: Array(claims.values))
        let known = try standings.shares(of: member.cell.id)
        guard shares != known else { return }
        try place(member.cell, as: known, sign: -1, of: member.series)
        try standings.setShares(of: member.cell.id, shares)
        try place(member.cell, as: shares, sign: 1, of: member.series)
    }

    /// A project's team changed: hours that its calls share are settled anew.
    func contestShares(of peers: Set<Int>) throws(ProjectionFailure) {
        for id in try statement("SELECT DISTINCT id FROM share").rows([], { $0.integer(0) }) {
            let series = dimensions.series[Int(CellID.series(id) - 1)]
            guard peers.contains(series.peers.number) else { continue }
            contested[ContestedHour(peers: series.peers.number, hour: CellID.bucket(id))] = .provider
        }
    }
}
