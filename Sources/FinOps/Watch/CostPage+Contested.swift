/// An hour of one account's model in which calls and what the provider says may have met.
struct ContestedHour: Hashable, Sendable {
    /// The number of the series' `Peers`.
    let peers: Int
    /// Of the day.
    let hour: Int
}

/// Where estimates meet usage and bills. An hour's outcome depends on what was said about it alone, and is worked out when a
/// commit ends; so it is the same whatever came first.
///
/// * An estimate yields where something was metered for its account, model, tier and hour, and for its key and project of the
///   provider where the call named them.
/// * Usage and bills of a key that calls went through are shared among the calls' projects by what their estimates say: the
///   provider knows one key, the gateway's keys know whose call it was.
///
/// The projections' basis `best` is made by the same rules.
extension CostPage {
    /// Notes that something was said about an hour in which calls and the provider may have met.
    mutating func contest(_ series: Int, at second: Int64, _ table: SeriesTable) {
        let peers = table.peers[series]
        guard table.groups[peers].hasCalls else { return }
        contested.insert(ContestedHour(peers: peers, hour: stated.hour(of: second)))
    }

    /// Works out what became of the hours that something was said about.
    /// - Returns: what changed of what counts.
    mutating func settle(_ table: inout SeriesTable) -> [CostChange] {
        var changes: [CostChange] = []
        for hour in contested {
            let fresh = moves(in: hour, &table)
            let old = moves[hour] ?? []
            guard fresh != old else { continue }
            moves[hour] = fresh.isEmpty ? nil : fresh
            for move in old.map(\.reversed) + fresh {
                moved.add(move.nanos, series: move.series, at: move.hour)
                if counts(move.series, table) { changes.append(move) }
            }
        }
        contested.removeAll(keepingCapacity: true)
        return changes
    }

    private func moves(in place: ContestedHour, _ table: inout SeriesTable) -> [CostChange] {
        let peers = table.groups[place.peers]
        let hour = place.hour
        let calls = peers.calls.filter { stated.isMarked($0, hour: hour) }
        guard !calls.isEmpty else { return [] }
        let told = peers.told(of: Set(calls.map { table.all[$0].providerKey }))
        let metered = told.filter { table.all[$0].basis == .metered && stated.isMarked($0, hour: hour) }
        let second = stated.second(of: hour)
        var moves: [CostChange] = []
        for call in calls where metered.contains(where: { table.all[call].isCall(in: table.all[$0]) }) {
            let nanos = stated.amount(of: call, hour: hour)
            if nanos != 0 { moves.append(CostChange(series: call, hour: second, nanos: 0 &- nanos)) }
        }
        for series in told {
            let nanos = stated.amount(of: series, hour: hour)
            let sharing = nanos == 0 ? [] : calls.filter { table.all[$0].isCall(in: table.all[series]) }
            guard !sharing.isEmpty else { continue }
            moves.append(CostChange(series: series, hour: second, nanos: 0 &- nanos))
            for (project, part) in split(nanos, among: sharing, hour: hour, table) where part != 0 {
                moves.append(
                    CostChange(series: table.share(of: series, for: project), hour: second, nanos: part))
            }
        }
        return moves
    }

    private func split(_ nanos: Int64, among calls: [Int], hour: Int, _ table: SeriesTable) -> [(String, Int64)] {
        var claims: [String: CallEstimate] = [:]
        for call in calls {
            guard let estimate = estimates[call]?[hour] else { continue }
            claims[table.all[call].project ?? "", default: CallEstimate()].add(estimate)
        }
        // The first by name is given a remainder first.
        let sorted = claims.sorted { $0.key < $1.key }
        let parts = LargestRemainder.split(nanos, by: CallShares.weights(sorted.map(\.value.claim)))
        return Array(zip(sorted.map(\.key), parts))
    }
}

/// What a call, or those of one hour and series, are estimated to cost.
struct CallEstimate: Sendable {
    /// Unix seconds.
    var started: Int64 = 0
    var ended: Int64 = 0
    /// Nano-units, in the currency that is watched.
    var nanos: Int64 = 0
    /// Nano-units, in whatever currency.
    private var cost: Int64 = 0
    /// Calls without a price.
    private var unpriced: Int64 = 0
    private var tokens: Int64 = 0
    private var requests: Int64 = 0

    init() {}

    /// - Parameters:
    ///   - started: Unix microseconds.
    ///   - duration: microseconds.
    ///   - cost: nil: it has no price, or nothing of it had to be priced.
    init(
        started: Int64, duration: Int64, cost: Int64?, counts: Bool, isPriced: Bool, tokens: Int64, requests: Int64
    ) {
        self.started = started / 1_000_000
        ended = (started &+ duration) / 1_000_000
        self.cost = max(0, cost ?? 0)
        nanos = counts ? cost ?? 0 : 0
        unpriced = isPriced ? 0 : 1
        self.tokens = max(0, tokens)
        self.requests = max(0, requests)
    }

    init(_ call: WireCallRecorded, in currency: Currency) {
        self.init(
            started: call.started, duration: call.duration, cost: call.hasCost ? call.cost.nanos : nil,
            counts: call.cost.currency == currency.code, isPriced: call.hasCost || call.unpricedReason.isEmpty,
            tokens: call.quantities.inputTokens &+ call.quantities.outputTokens, requests: call.quantities.requests)
    }

    /// What another price makes of a call that was counted before: no call, no tokens, the difference in cost.
    init(_ change: WireCallRepriced, in currency: Currency) {
        var before = change.call
        if change.hasPreviousCost { before.cost = change.previousCost } else { before.clearCost() }
        before.unpricedReason = change.previousUnpricedReason
        let (old, new) = (CallEstimate(before, in: currency), CallEstimate(change.call, in: currency))
        (started, ended) = (new.started, new.ended)
        nanos = new.nanos &- old.nanos
        cost = new.cost &- old.cost
        unpriced = new.unpriced - old.unpriced
    }

    mutating func add(_ other: CallEstimate) {
        cost &+= other.cost
        unpriced += other.unpriced
        tokens &+= other.tokens
        requests &+= other.requests
    }

    var claim: CallShares.Claim {
        CallShares.Claim(
            cost: unpriced == 0 ? Int128(max(0, cost)) : nil, tokens: Int128(max(0, tokens)),
            requests: Int128(max(0, requests)))
    }
}
