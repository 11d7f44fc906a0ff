import EventLog
import FinOps
import Metering
import Synchronization

/// What calls ask.
extension Admission {
    /// A call that may begin.
    struct Ticket: Sendable {
        let key: KeyFacts
        let door: UpstreamDoor
        let context: CallContext
        /// Tokens set aside in the key's rate.
        let tokens: Int64
        /// Nano-units that it can cost at most.
        let bound: Int64
    }

    enum Verdict: Sendable {
        case admitted(Ticket)
        case refused(Refusal)
        /// The log has to be asked, or was asked already: for a part of a limit, or of a key's pace.
        case wait([LogRequest])
    }

    /// Whether a key may be used at all: asked where a request does not come to be admitted.
    func refusal(_ hash: KeyHash) -> Refusal? {
        switch state.withLock({ $0.known.keys.answer(to: hash, at: now()) }) {
        case .accepted: nil
        case .refused(let reason): refusal(reason)
        }
    }

    /// - Parameter logAwaySince: asked for keys with a pace.
    func admit(_ call: IncomingCall, _ context: CallContext, logAwaySince: () -> Timestamp?) -> Verdict {
        state.withLock { state in
            let now = now()
            let key: KeyFacts
            switch state.known.keys.answer(to: call.hash, at: now) {
            case .refused(let reason): return .refused(refusal(reason))
            case .accepted(let facts): key = facts
            }
            let (route, model) = (call.match.route, call.facts.model)
            guard key.allows(route: route.name) else {
                return .refused(.routeNotAllowed(route: route.name, project: key.project, contact: contact))
            }
            guard model.isEmpty || key.allows(model: model) else {
                return .refused(.modelNotAllowed(model: model, project: key.project, contact: contact))
            }
            guard
                let upstream = state.known.keys.upstream(
                    isAnthropic: route.dialect == .anthropic, model: model, project: key.project),
                let door = state.doors[upstream.name]
            else { return .refused(.modelNotServed(model: model, project: key.project, contact: contact)) }
            guard door.credential != nil else { return .refused(.busy(retryAfter: 1)) }
            return admit(call, context, key, door, &state, at: now, logAwaySince)
        }
    }

    private func admit(
        _ call: IncomingCall, _ context: CallContext, _ key: KeyFacts, _ door: UpstreamDoor, _ state: inout State,
        at now: Timestamp, _ logAwaySince: () -> Timestamp?
    ) -> Verdict {
        let route = call.match.route
        let bound = state.pricing.upperBound(
            call.facts, route, provider: door.facts.provider.rawValue, day: Day(utc: call.started))
        let running = running
        // First, so that what is refused here has taken nothing of a limit that other gateways might need.
        var tokens: Int64 = 0
        if key.isPaced {
            switch pace(call, key, &state, at: now, running, logAwaySince()) {
            case .admitted(let setAside): tokens = setAside
            case .limited(let measure, let limit, let seconds, let gateways):
                return .refused(
                    .rateLimited(
                        measure == .requests ? .requests : .tokens, limit: Int64(limit), gateways: gateways,
                        project: key.project, retryAfter: seconds, contact: contact))
            case .mustJoin(let joining): return .wait([.join(joining)])
            case .waiting: return .wait([])
            }
        }
        // What an answer in the background may use is held back until it is fetched, which a limit must not stop.
        let answer =
            route.fetchesAnswer
            ? .admitted
            : state.known.budget.reserve(
                call.attempt, project: key.project, bound: bound.nanos, at: now, running: running)
        if answer != .admitted, key.isPaced {
            state.known.paces.release(key, tokens: tokens, at: now, running: running)
        }
        switch answer {
        case .admitted: break
        case .refused(let reached): return .refused(refusal(reached, key, running: running))
        case .needsLease(let requests): return .wait(requests.map { .lease($0) })
        case .waiting: return .wait([])
        }
        state.known.keys.accept(key.id, call: call.attempt.call, at: now)
        let context = state.contexts.admit(context, project: key.project, at: now)
        return .admitted(Ticket(key: key, door: door, context: context, tokens: tokens, bound: bound.nanos))
    }

    private func pace(
        _ call: IncomingCall, _ key: KeyFacts, _ state: inout State, at now: Timestamp, _ running: Timestamp,
        _ logAwaySince: Timestamp?
    ) -> KeyPaces.Answer {
        state.known.paces.admit(
            key, tokens: state.pricing.tokenBound(call.facts, call.match.route), at: now, running: running,
            logAwaySince: logAwaySince)
    }

    /// Whether an earlier run's record of an attempt is known, from the log or the spool.
    func knows(_ call: WireCallRecorded) -> Bool { state.withLock { $0.known.budget.knows(CallAttempt(call)) } }

    /// Nano-units that a call counts with towards limits.
    func cost(of call: WireCallRecorded) -> Int64 { state.withLock { $0.known.budget.cost(of: call) } }

    /// What an earlier run let through and never heard the end of may cost more than its record says, for a while yet.
    /// - Parameters:
    ///   - rest: nano-units.
    ///   - ends: Unix seconds.
    func hold(_ call: WireCallRecorded, _ rest: Int64, until ends: Int64) {
        state.withLock { state in
            let seconds = max(
                0, min(ends.subtractingReportingOverflow(now().seconds).partialValue, terms.reservationSeconds))
            state.known.budget.hold(
                call.project, started: Timestamp(microseconds: call.started), bound: rest,
                until: running.advanced(bySeconds: seconds))
        }
    }

    private func refusal(_ reason: KeyRefusal) -> Refusal {
        switch reason {
        case .unknown, .replaced: .unknownKey
        case .expired(let facts):
            .expiredKey(
                prefix: facts.prefix, project: facts.project, day: facts.expires.map(lastDay) ?? "an earlier day",
                contact: contact)
        case .disabled(let facts, let reason):
            .disabledKey(
                prefix: facts.prefix, project: facts.project,
                reason: reason.isEmpty ? "it was switched off" : CallContext.printable(reason), contact: contact)
        }
    }

    /// The day in the business zone at whose end a key expired.
    private func lastDay(_ expired: Int64) -> String {
        let last = Timestamp(seconds: expired - 1)
        return "\(BusinessCalendar(zone)?.day(of: last) ?? Day(utc: last))"
    }

    private func refusal(_ reached: LimitReached, _ key: KeyFacts, running: Timestamp) -> Refusal {
        let each = reached.window.kind == .day ? "a day" : "a week"
        let whose =
            switch reached.scope {
            case .project: ""
            case .team(let name): " of team \(name)"
            case .organisation: " of the organisation"
            }
        let use: Refusal.LimitUse =
            if reached.isSpent { .spent } else if let until = reached.heldUntil {
                .cutShort(seconds: until.seconds - running.seconds + 1)
            } else { .underWay }
        return .limitReached(
            project: key.project, limit: "\(reached.limit) \(each)\(whose)", use,
            resets: "\(reached.resets.rfc3339) (midnight in \(reached.zone))", contact: contact)
    }

    /// What is held back for an answer in the background is added up for as long as a window lasts, a million dollars for each
    /// at most.
    private static let greatestPending: Int64 = 1_000_000_000_000_000

    /// Prices an attempt that ended.
    /// - Parameter bound: nano-units that it could cost at most.
    func complete(_ call: inout WireCallRecorded, _ route: Route, _ reading: MeterReading, bound: Int64) {
        var reading = reading
        if reading.isUse, reading.model == nil {
            reading.model = state.withLock { $0.served.model(upstream: call.upstream, asked: call.modelAsked) }
        }
        // A call that was written down as it began had one for an answer made later.
        call.clearBound()
        call.pendingAnswer = ""
        if reading.isPending {
            call.pendingAnswer = reading.answer ?? ""
            call.bound.currency = Currency.usd.code
            call.bound.nanos = min(bound, Self.greatestPending)
        } else if reading.hasEndedUnused {
            call.pendingAnswer = reading.answer ?? ""
        }
        if let answer = reading.countsOnceAs, reading.isUse {
            call.countsOnce = answer
            if !state.withLock({ $0.known.countsNow(call) }) {
                call.countsOnce = ""
                reading.forgetUse()
            }
        }
        desks[Int(truncatingIfNeeded: call.started.magnitude) % desks.count].complete(&call, route, reading)
    }

    /// Its record is kept: what it was admitted with gives way to what it used.
    func settle(_ call: WireCallRecorded, _ ticket: Ticket) {
        let used = call.quantities.inputTokens + call.quantities.outputTokens
        state.withLock { state in
            state.known.budget.settle(call)
            guard ticket.key.isPaced else { return }
            state.known.paces.settle(
                ticket.key, setAside: ticket.tokens, used: used, at: now(), running: running)
        }
    }

    /// Up to this sequence of its own producer the log's calls have been taken in.
    var takenSequence: UInt64 { state.withLock { $0.known.budget.takenSequence } }

    /// Of an earlier run: its record may not have reached the log.
    func settle(_ call: WireCallRecorded) {
        state.withLock { state in
            state.known.note(call)
            state.known.budget.settle(call)
            state.known.paces.noteEarlierRun(call)
        }
    }
}
