package import EventLog
import SwiftProtobuf

/// Holds limits before calls: a fold over calls and leases that answers for each call whether it may begin.
///
/// A gateway spends from leases, each the whole part of one window's limit that it may have spent by then, its ended calls
/// included. A call first reserves the most that it can cost, and settles with what it did cost. A lease is appended with
/// the exact version of the window's stream, so no two gateways can be given the same money; all parts together are at most
/// the limit, and once at most one call's bound more, for the call that meets the limit.
///
/// Counted are the calls of gateways, by the quarter of an hour in which they started.
package struct Budget: Sendable {
    /// The types of its history.
    package static let types: Set<EventType> = [
        "call.recorded", "call.repriced", "budget.leased", "threshold.set", "threshold.removed", "project.added",
        "project.moved",
    ]

    /// A limit that is held, and since when in the log.
    struct Limit: Sendable {
        let statement: WireThresholdSet
        let threshold: Threshold
        let position: UInt64
    }

    /// The sums of one window: derived, made anew when limits or owners change.
    struct Account: Sendable {
        let window: CostWindow
        let limit: Int64
        let zone: String
        /// Own leases from before that are void.
        let limitPosition: UInt64
        /// Ended calls by gateway, as the log has them.
        var spent: [String: Int128]
        /// Own ended calls that the log does not have yet.
        var unlogged: Int128 = 0
        /// Own calls under way, and those that a kill cut short.
        private(set) var reserved: Int128 = 0
        /// Of the latter alone.
        private(set) var held: Int128 = 0
        /// When the last of them is free again, by the clock that nobody sets.
        private(set) var heldUntil: Timestamp?

        /// Whether something of this gateway counts that others do not know from the log.
        var isOwing: Bool { reserved > 0 || unlogged > 0 }

        fileprivate mutating func add(_ reservation: Reservation) {
            reserved += Int128(reservation.charge.nanos)
            guard reservation.isHeld else { return }
            held += Int128(reservation.charge.nanos)
            heldUntil = max(heldUntil ?? reservation.expires, reservation.expires)
        }

        fileprivate mutating func remove(_ reservation: Reservation) {
            reserved -= Int128(reservation.charge.nanos)
            guard reservation.isHeld else { return }
            held -= Int128(reservation.charge.nanos)
            if held == 0 { heldUntil = nil }
        }
    }

    fileprivate struct Reservation: Sendable {
        let charge: Charge
        /// By the clock that nobody sets.
        let expires: Timestamp
        /// A kill cut it short.
        var isHeld = false
    }

    private struct Plan: Hashable, Sendable {
        let project: String
        let slot: Int64
    }

    package let gateway: String
    private let ownProducer: ProducerName
    let terms: BudgetTerms
    let currency: Currency
    /// Of the last event taken in.
    package internal(set) var position: Position = .start
    /// Where this run began to spend; nil before that.
    private(set) var spendsFrom: Position?
    var projects: [String: Timeline<String>] = [:]
    var limits: [CostScope: Limit] = [:]
    var spending = SpendingBySlot()
    var books: [WindowID: LeaseBook] = [:]
    /// The last attempts that the log has of this gateway: one that is settled after that is not counted again.
    var recent = Recent<CallAttempt>()
    var pending = PendingAnswers()
    private var accounts: [WindowID: Account] = [:]
    private var plans: [Plan: [WindowID]] = [:]
    private var unlogged: [CallAttempt: Charge] = [:]
    private var reservations: [CallAttempt: Reservation] = [:]
    /// Of calls that a kill cut short, to tell them apart.
    private var heldCount = 0
    /// In the order of their expiry; it may have some that have ended.
    private(set) var expiring = ExpiryQueue()
    /// The accounts are made when they are asked for, since the last time that limits or owners changed.
    private var areSumsForgotten = true
    /// Until then other gateways' parts count although their time is over: they could not be renewed.
    private var graceEnds = Timestamp.distantPast
    private var forgottenBefore: Int64 = 0
    /// The last sequence of this gateway's own producer of which anything was taken in, and how far all was: a commit may
    /// come in pieces.
    private var newestSequence: UInt64 = 0
    /// Up to this sequence of `gateway-<name>` all calls have been taken in.
    package internal(set) var takenSequence: UInt64 = 0

    /// - Parameters:
    ///   - gateway: this one's name; no two may have the same.
    ///   - currency: of prices; limits in another one cannot be held.
    package init(gateway: String, currency: Currency = .usd, terms: BudgetTerms) {
        self.gateway = gateway
        ownProducer = .gateway(gateway)
        self.currency = currency
        self.terms = terms
    }

    // MARK: Calls

    /// Said once a start knows all that the log knew by then and has settled what the log may not know. Until then no part
    /// of a limit is spent or asked for, and no part that was given before that is ever spent: the earlier run may have given
    /// it back, or may be about to, without this one's knowing.
    package mutating func beginSpending(at now: Timestamp) {
        guard spendsFrom == nil else { return }
        spendsFrom = position
        logIsAway(at: now)
    }

    /// The log does not answer, or was not heard yet, so that other gateways may not have renewed parts of limits from which
    /// their calls under way are paid. They are given a little time once it answers.
    package mutating func logIsAway(at now: Timestamp) { graceEnds = now.advanced(bySeconds: terms.graceSeconds) }

    /// Whether another gateway's part cannot be counted on.
    func isHeldByAnother(_ part: Lease, at now: Timestamp) -> Bool {
        let late = now < graceEnds ? terms.reservationSeconds : 0
        return part.isStanding(at: now.advanced(bySeconds: -late))
    }

    /// More than a billion dollars is as good as any bound, and leaves room for sums that a lease can name.
    private static let greatestBound: Int64 = 1 << 60

    /// Asks for a call to begin.
    /// - Parameters:
    ///   - bound: the most that it can cost, in nano-units.
    ///   - running: by a clock that nobody sets, which says how long a call has been under way: one that is set ahead must
    ///     not take calls for ended that still run. `now` if left out.
    package mutating func reserve(
        _ attempt: CallAttempt, project: String, bound: Int64, at now: Timestamp, running: Timestamp? = nil
    ) -> BudgetAnswer {
        let running = running ?? now
        expire(at: running)
        let charge = Charge(
            project: project, slot: SpendingBySlot.slot(of: now), nanos: max(0, min(bound, Self.greatestBound)))
        let windows = windows(of: charge)
        var requests: [LeaseRequest] = []
        var waits: [WindowID] = []
        for id in windows {
            switch judge(id, attempt, bound: charge.nanos, at: now) {
            case .room: continue
            case .none(let reached): return .refused(reached)
            case .ask(let request): requests.append(request)
            case .wait: waits.append(id)
            }
        }
        guard requests.isEmpty, waits.isEmpty else {
            for request in requests { note(request, at: now) }
            if spendsFrom != nil {
                for id in waits { books[id, default: LeaseBook()].wait(attempt, Int128(charge.nanos)) }
            }
            return requests.isEmpty ? .waiting : .needsLease(requests)
        }
        // Also where no limit holds it: one may be set while it is under way.
        let expires = running.advanced(bySeconds: terms.reservationSeconds)
        release(attempt)
        setAside(Reservation(charge: charge, expires: expires), for: attempt, in: windows)
        for id in windows {
            var book = books[id] ?? LeaseBook()
            book.lastUse = now
            book.waitsNoMore(attempt)
            book.largestBound = max(book.largestBound, charge.nanos)
            books[id] = book
        }
        return .admitted
    }

    /// A call that an earlier run of this gateway let through, and of which nobody knows how it ended: until its reservation
    /// would have ended it may cost more than its record says.
    /// - Parameters:
    ///   - started: when it began.
    ///   - bound: nano-units beyond those of its record.
    ///   - expires: by the clock that nobody sets.
    package mutating func hold(_ project: String, started: Timestamp, bound: Int64, until expires: Timestamp) {
        let charge = Charge(
            project: project, slot: SpendingBySlot.slot(of: started), nanos: max(0, min(bound, Self.greatestBound)))
        // A name of its own, for several may stand for one call; attempts are counted from 1, so that no record is its.
        heldCount += 1
        let unended = CallAttempt(call: "held-\(heldCount)", attempt: 0, started: started)
        setAside(
            Reservation(charge: charge, expires: expires, isHeld: true), for: unended, in: windows(of: charge))
    }

    /// Whether an own attempt's record is known, from the log or by `settle`; of the log's the last few thousand are.
    package func knows(_ attempt: CallAttempt) -> Bool { unlogged[attempt] != nil || recent.contains(attempt) }

    private mutating func setAside(_ reservation: Reservation, for attempt: CallAttempt, in windows: [WindowID]) {
        reservations[attempt] = reservation
        expiring.add(attempt, at: reservation.expires)
        if expiring.count > 2 * reservations.count + 1_024 {
            expiring.keep { reservations[$0]?.expires == $1 }
        }
        for id in windows { accounts[id]?.add(reservation) }
    }

    /// A call that did not happen after all, or ended without a record.
    package mutating func release(_ attempt: CallAttempt) {
        guard let reservation = reservations[attempt] else { return }
        // Asked for first: an account that is made now holds it still.
        let windows = windows(of: reservation.charge)
        reservations[attempt] = nil
        for id in windows { accounts[id]?.remove(reservation) }
    }

    /// A call ended: said before its record can reach the log, and at a start for each record that the log may not have.
    package mutating func settle(_ event: WireCallRecorded) {
        let attempt = CallAttempt(event)
        release(attempt)
        guard !knows(attempt) else { return }
        let charge = charge(of: event)
        let windows = windows(of: charge)
        unlogged[attempt] = charge
        for id in windows { accounts[id]?.unlogged += Int128(charge.nanos) }
    }

    /// Nano-units that a call counts with: its cost, and without one what its tokens cost at the terms' price; its bound while
    /// an answer in the background may still use as much.
    package func cost(of event: WireCallRecorded) -> Int64 {
        if event.hasBound, event.bound.currency == currency.code { return max(0, event.bound.nanos) }
        if event.hasCost, event.cost.currency == currency.code { return max(0, event.cost.nanos) }
        return unpriced(tokens: Self.tokens(standingFor: event.quantities))
    }

    /// The largest picture that is charged by tokens, and the most tokens in which a second of sound is heard and written.
    /// A character that is spoken is less than one.
    private static let tokensPerImage: Int128 = 6_240
    private static let tokensPerSecond: Int128 = 20

    /// What is charged by other units has no tokens to count, and must not count as nothing for that.
    private static func tokens(standingFor quantities: WireQuantities) -> Int128 {
        let tokens = Int128(max(0, quantities.inputTokens)) + Int128(max(0, quantities.outputTokens))
        // Pictures that were told in tokens are among them.
        let images = quantities.imageOutputTokens > 0 ? 0 : Int128(max(0, quantities.images)) * tokensPerImage
        return tokens + images + Int128(max(0, quantities.seconds)) * tokensPerSecond
            + Int128(max(0, quantities.characters))
    }

    /// What tokens of a model without a price count with, rounded up.
    package func unpriced(tokens: Int128) -> Int64 {
        Int64(clamping: (max(0, tokens) * Int128(terms.unpricedPerMillion) + 999_999) / 1_000_000)
    }

    /// How many own calls are under way or held.
    package var reservationCount: Int { reservations.count }

    private func charge(of event: WireCallRecorded) -> Charge {
        Charge(
            project: event.project, slot: SpendingBySlot.slot(of: Timestamp(microseconds: event.started)),
            nanos: cost(of: event))
    }

    mutating func expire(at running: Timestamp) {
        while let attempt = expiring.next(at: running) {
            if let known = reservations[attempt], known.expires <= running { release(attempt) }
        }
    }

    // MARK: Folding

    /// Takes an event in; one that is not among `types`, or that it knows already, changes nothing.
    package mutating func take(_ event: FinOpsEvent, _ recorded: RecordedEvent) {
        guard recorded.position > position else { return }
        position = recorded.position
        switch event {
        case .callRecorded(let event):
            take(event)
            if recorded.producer == ownProducer { note(recorded.producerSequence) }
        case .callRepriced(let event): take(event)
        case .budgetLeased(let event): take(event, recorded)
        case .thresholdSet(let event):
            guard let scope = CostScope(kind: event.scope, name: event.name) else { return }
            limits[scope] = limit(event, recorded)
            forgetSums()
        case .thresholdRemoved(let event):
            guard let scope = CostScope(kind: event.scope, name: event.name) else { return }
            limits[scope] = nil
            forgetSums()
        case .projectAdded(let event):
            projects[event.project, default: Timeline()].set(event.team, from: nil)
            forgetSums()
        case .projectMoved(let event):
            projects[event.project, default: Timeline()].set(event.team, from: event.start)
            forgetSums()
        default: break
        }
        forgetOld(recorded.recorded)
    }

    private func limit(_ event: WireThresholdSet, _ recorded: RecordedEvent) -> Limit? {
        guard let threshold = Threshold(event, since: recorded.recorded), threshold.policy.isHeld,
            threshold.currency == currency
        else { return nil }
        return Limit(statement: event, threshold: threshold, position: recorded.position.value)
    }

    private mutating func take(_ event: WireCallRecorded) {
        let charge = pending.take(event, charge(of: event))
        let ids = windows(of: charge)
        if event.gateway == gateway {
            let attempt = CallAttempt(event)
            release(attempt)
            recent.insert(attempt)
            if let known = unlogged[attempt] {
                let windows = windows(of: known)
                unlogged[attempt] = nil
                for id in windows { accounts[id]?.unlogged -= Int128(known.nanos) }
            }
        }
        spending.add(charge, by: event.gateway)
        for id in ids { accounts[id]?.spent[event.gateway, default: 0] += Int128(charge.nanos) }
        for (charge, gateway) in pending.ended(by: event) where charge.slot >= forgottenBefore {
            let ids = windows(of: charge)
            spending.add(charge, by: gateway)
            for id in ids { accounts[id]?.spent[gateway, default: 0] += Int128(charge.nanos) }
        }
    }

    private mutating func note(_ sequence: UInt64) {
        guard sequence > newestSequence else { return }
        takenSequence = max(takenSequence, newestSequence)
        newestSequence = sequence
    }

    /// A call that is counted already, with the cost that it had, counts with another one.
    private mutating func take(_ event: WireCallRepriced) {
        var before = event.call
        before.clearCost()
        if event.hasPreviousCost { before.cost = event.previousCost }
        let now = charge(of: event.call)
        // What no window of today reaches was forgotten, or is soon.
        guard now.slot >= forgottenBefore else { return }
        let change = Charge(project: now.project, slot: now.slot, nanos: now.nanos - cost(of: before))
        let ids = windows(of: change)
        spending.add(change, by: event.call.gateway)
        for id in ids { accounts[id]?.spent[event.call.gateway, default: 0] += Int128(change.nanos) }
    }

    private mutating func take(_ event: WireBudgetLeased, _ recorded: RecordedEvent) {
        guard let id = WindowID(event) else { return }
        adopt(event, id, version: recorded.version, position: recorded.position)
    }

    /// Windows that nobody asks about any more, and costs that no window of today reaches.
    private mutating func forgetOld(_ now: Timestamp) {
        let slot = SpendingBySlot.slot(of: now) - 10 * 86_400
        guard slot >= forgottenBefore + 3_600 else { return }
        forgottenBefore = slot
        spending.forget(before: slot)
        pending.forget(before: slot)
        unlogged = unlogged.filter { $0.value.slot >= slot }
        let day = Day(utc: Timestamp(seconds: slot))
        books = books.filter { $0.key.firstDay >= day }
        accounts = accounts.filter { $0.key.firstDay >= day }
        plans = [:]
    }

    // MARK: Sums

    private mutating func forgetSums() {
        accounts = [:]
        plans = [:]
        areSumsForgotten = true
    }

    /// The windows whose parts are known, and those in which this gateway has calls under way or not in the log yet.
    mutating func ownWindows(at now: Timestamp) -> [WindowID] {
        if areSumsForgotten {
            for charge in reservations.values.map(\.charge) + unlogged.values { _ = windows(of: charge) }
            // Idle parts are to be given back, too; many sums at once would hold calls up.
            var room = Self.sumsAtOnce
            for (id, book) in books where accounts[id] == nil && room > 0 {
                guard book.parts[gateway]?.isStanding(at: now) == true, let limit = limits[id.scope],
                    let nanos = limit.threshold.limit(id.kind)
                else { continue }
                let window = CostWindow(id.kind, first: id.firstDay, limit.threshold.calendar)
                accounts[id] = account(id.scope, window, limit, nanos)
                room -= 1
            }
            areSumsForgotten = room == 0
        }
        return Array(books.keys) + accounts.filter { books[$0.key] == nil && $0.value.isOwing }.map(\.key)
    }

    private static let plansKept = 4_096
    private static let sumsAtOnce = 8

    /// The windows with a limit that a charge counts in; their accounts are there afterwards.
    private mutating func windows(of charge: Charge) -> [WindowID] {
        if limits.isEmpty { return [] }
        let plan = Plan(project: charge.project, slot: charge.slot)
        if let known = plans[plan] { return known }
        let instant = Timestamp(seconds: charge.slot)
        var found: [WindowID] = []
        for scope in scopes(of: charge.project, slot: charge.slot) {
            guard let limit = limits[scope] else { continue }
            for kind in WindowKind.allCases {
                guard let nanos = limit.threshold.limit(kind) else { continue }
                let window = CostWindow(kind, containing: instant, limit.threshold.calendar)
                let id = WindowID(scope: scope, kind: kind, firstDay: window.firstDay)
                if accounts[id] == nil { accounts[id] = account(scope, window, limit, nanos) }
                found.append(id)
            }
        }
        if plans.count >= Self.plansKept { plans = [:] }
        plans[plan] = found
        return found
    }

    private func scopes(of project: String, slot: Int64) -> [CostScope] {
        let team = projects[project]?.value(at: Timestamp(seconds: slot))
        return [.project(project)] + (team.map { [.team($0)] } ?? []) + [.organisation]
    }

    private func account(_ scope: CostScope, _ window: CostWindow, _ limit: Limit, _ nanos: Int64) -> Account {
        func belongs(_ project: String, _ slot: Int64) -> Bool { scopes(of: project, slot: slot).contains(scope) }
        var account = Account(
            window: window, limit: nanos, zone: limit.threshold.zone, limitPosition: limit.position,
            spent: spending.sums(in: window, where: belongs))
        for charge in unlogged.values where window.contains(charge.slot) && belongs(charge.project, charge.slot) {
            account.unlogged += Int128(charge.nanos)
        }
        for reservation in reservations.values
        where window.contains(reservation.charge.slot)
            && belongs(reservation.charge.project, reservation.charge.slot)
        {
            account.add(reservation)
        }
        return account
    }

    func account(_ id: WindowID) -> Account? { accounts[id] }
}
