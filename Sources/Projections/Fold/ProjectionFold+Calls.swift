import EventLog
import FinOps

/// Calls through gateways: a row each, and the cells of the basis `estimated`.
extension ProjectionFold {
    func apply(_ call: WireCallRecorded, _ context: ProjectedEvent) throws {
        try check(call)
        let quantities = UsageQuantities(call.quantities)
        let numbers = try numbers(of: call, context)
        hear(call.gateway, at: call.started)
        guard try calls.insert(call, quantities, numbers) else { return }
        try noteUnpriced(call)
        let cost = call.hasCost ? call.cost.nanos : call.unpricedReason.isEmpty ? 0 : nil
        try estimates.add(
            Estimates.Addition(
                quantities, cost: cost, terms: numbers.terms, position: numbers.position, observed: call.observed),
            to: call.cell(of: numbers.series), terms)
    }

    /// A call that is counted already counts with another cost. One that had none moves to the series of the priced ones.
    func apply(_ event: WireCallRepriced, _ context: ProjectedEvent) throws {
        let call = event.call
        try check(call)
        let numbers = try numbers(of: call, context)
        guard let known = try calls.priced(call, numbers) else {
            throw Inapplicable("it reprices attempt \(call.attempt) at \(call.call), which was not recorded")
        }
        try calls.reprice(call, numbers)
        if known.cost == nil, call.hasCost { try forgetUnpriced(call) }
        try storeCorrection(of: event, context)
        let cost = call.hasCost ? call.cost.nanos : nil
        if known.series == numbers.series {
            let change = Estimates.Addition(
                cost: (cost ?? 0) - (known.cost ?? 0), terms: numbers.terms, position: known.position,
                observed: call.observed)
            return try estimates.add(change, to: call.cell(of: numbers.series), terms)
        }
        let quantities = UsageQuantities(call.quantities)
        var gone = Estimates.Addition(
            quantities, cost: known.cost.map { -$0 }, terms: known.terms, position: known.position,
            observed: call.observed)
        gone.negateCounts()
        // Its cell may end with it, and a later one begin anew: that must not depend on what else gathers here.
        try writeEstimates()
        try estimates.add(gone, to: call.cell(of: known.series), terms)
        try writeEstimates()
        try estimates.add(
            Estimates.Addition(
                quantities, cost: cost, terms: numbers.terms, position: known.position, observed: call.observed),
            to: call.cell(of: numbers.series), terms)
    }

    /// Of what no price list can price, and of what names no model, nobody is told: no price would end it.
    private func noteUnpriced(_ call: WireCallRecorded) throws {
        guard !call.hasCost, !call.unpricedReason.isEmpty, !call.unpriceable, !call.model.isEmpty else { return }
        try run(
            "INSERT INTO unpriced_calls VALUES (?,?,?,?,?,1) ON CONFLICT DO UPDATE SET calls = calls + 1",
            .text(PriceCatalogue.listed(call.provider)), .text(call.model), .text(call.account),
            .text(Day(utc: Timestamp(microseconds: call.started)).description), .text(call.unpricedReason))
    }

    private func forgetUnpriced(_ call: WireCallRecorded) throws {
        let (provider, model) = (SQLValue.text(PriceCatalogue.listed(call.provider)), SQLValue.text(call.model))
        try run("UPDATE unpriced_calls SET calls = calls - 1 WHERE provider = ? AND model = ?", provider, model)
        try run("DELETE FROM unpriced_calls WHERE provider = ? AND model = ? AND calls <= 0", provider, model)
    }

    private func check(_ call: WireCallRecorded) throws {
        let second = call.started / 1_000_000
        guard call.started >= 0, second < CellID.bucketLimit else {
            throw Inapplicable("it started at \(call.started), which is no time")
        }
        guard call.firstByte >= 0, (0...Self.longestCall).contains(call.duration) else {
            throw Inapplicable("it took \(call.duration) µs, which is no duration")
        }
        guard !call.provider.isEmpty, !call.account.isEmpty, !call.call.isEmpty else {
            throw Inapplicable("no provider, account or call")
        }
        guard call.quantities.isBelievable else { throw Inapplicable("a count is negative or above 2^50") }
        guard !call.hasCost || !call.cost.currency.isEmpty else { throw Inapplicable("a cost without a currency") }
    }

    /// A year, in microseconds.
    private static let longestCall: Int64 = 31_622_400_000_000

    private func numbers(of call: WireCallRecorded, _ context: ProjectedEvent) throws -> CallTable.Numbers {
        let account = try dimensions.account(provider: call.provider, name: call.account)
        let scope = try dimensions.scope(
            account: account, providerProject: call.hasProviderProjectID ? call.providerProjectID : nil)
        let terms = Terms(
            currency: call.hasCost ? try dimensions.label(call.cost.currency) : 0, length: 3_600,
            priceVersion: try dimensions.label(call.priceVersion),
            unpricedReason: call.hasCost ? 0 : try dimensions.label(call.unpricedReason),
            flags: TermsFlags.called.union(call.priceEstimated ? .priceEstimated : []))
        return CallTable.Numbers(
            series: try dimensions.series(SeriesKey(estimated: call, scope: scope)),
            terms: try self.terms.number(ofCall: terms), gateway: try dimensions.label(call.gateway),
            modelAsked: try dimensions.label(call.modelAsked), route: try dimensions.label(call.route),
            upstream: try dimensions.label(call.upstream), ended: try dimensions.label(call.ended),
            usageEstimated: try dimensions.label(call.usageEstimated), position: Int64(context.position))
    }

    /// Writes the hours of calls that have gathered.
    func writeEstimates() throws(ProjectionFailure) {
        for (id, addition) in estimates.additions {
            let series = dimensions.series[Int(CellID.series(id) - 1)]
            let bucket = CellID.bucket(id)
            var whole = addition
            var yields = false
            if let old = try cells.cell(id) {
                try whole.add(Estimates.Addition(old, detail: try cells.detail(of: id)), terms)
                yields = try standings.isYielding(id)
                try rollups.add(old.sums(basis: .estimated), sign: -1, to: key(of: old, series: series, yields: yields))
            }
            // Unpriced calls were counted with something: where nothing is left, all have got their price.
            if whole.isNothing {
                try cells.remove(id)
                if yields { try standings.setYielding(id, false) }
            } else {
                let cell = whole.cell(id, day: days.day(of: bucket))
                try cells.replace(cell, detail: whole.detail)
                try rollups.add(cell.sums(basis: .estimated), to: key(of: cell, series: series, yields: yields))
            }
            // Estimates alone decide nothing: whether usage or bills changed too is for them to say.
            if contested[ContestedHour(peers: series.peers.number, hour: bucket)] == nil {
                contested[ContestedHour(peers: series.peers.number, hour: bucket)] = .estimates
            }
        }
        estimates.removeAll()
    }
}

extension WireCallRecorded {
    /// Unix seconds at which it ended.
    fileprivate var observed: Int64 { (started + duration) / 1_000_000 }

    /// The hour of a series in which it counts.
    fileprivate func cell(of series: Int64) -> Int64 {
        let second = started / 1_000_000
        return CellID.make(bucket: second - second % 3_600, series: series)
    }
}

extension UsageQuantities {
    init(_ wire: WireQuantities) {
        self.init(
            requests: wire.requests, inputTokens: wire.inputTokens, cachedInputTokens: wire.cachedInputTokens,
            cacheWriteTokens: wire.cacheWriteTokens, outputTokens: wire.outputTokens,
            audioInputTokens: wire.audioInputTokens, cachedAudioInputTokens: wire.cachedAudioInputTokens,
            audioOutputTokens: wire.audioOutputTokens, imageInputTokens: wire.imageInputTokens,
            cachedImageInputTokens: wire.cachedImageInputTokens, imageOutputTokens: wire.imageOutputTokens,
            images: wire.images, characters: wire.characters, seconds: wire.seconds, usageBytes: wire.usageBytes,
            sessions: wire.sessions, calls: wire.calls,
            cacheWrite1hTokens: wire.cacheWrite1HTokens, reasoningTokens: wire.reasoningTokens)
    }
}
