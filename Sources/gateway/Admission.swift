import EventLog
import FinOps
import Metering
import Proxy
import Secret
import Stages
import Synchronization

/// Who may call what, under one lock: the log's events come in here, and every call asks here.
final class Admission: GatewaySink {
    private struct State {
        var known: GatewayState
        var prices = PriceShelf()
        var pricing: CallPricing
        var rates = KeyRates()
        var contexts = ContextRegister()
        var doors: [String: UpstreamDoor] = [:]
    }

    let gateway: String
    private let terms: BudgetTerms
    private let policy: ReservationPolicy
    private let contact: String
    private let authorities: String?
    private let now: @Sendable () -> Timestamp
    /// Told when what has to be fetched from the vault may have changed.
    private let secretsChanged: @Sendable () -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - contact: whom a refused caller may ask.
    ///   - authorities: PEM file of authorities that upstreams' certificates may also come from.
    init(
        gateway: String, terms: BudgetTerms, contact: String, authorities: String?,
        now: @escaping @Sendable () -> Timestamp, secretsChanged: @escaping @Sendable () -> Void
    ) {
        self.gateway = gateway
        self.terms = terms
        policy = ReservationPolicy(unpricedPerMillion: terms.unpricedPerMillion)
        self.contact = contact
        self.authorities = authorities
        self.now = now
        self.secretsChanged = secretsChanged
        state = Mutex(
            State(known: GatewayState(gateway: gateway, terms: terms), pricing: CallPricing(.empty, policy: policy)))
    }

    /// The types of the log's events that count here.
    static let types = GatewayState.types.union(PriceShelf.types)

    // MARK: From the log

    func apply(_ events: [GatewayEvent], through position: Position) -> [KeyEnforcement] {
        var needsSecrets = false
        let enforcements = state.withLock { state in
            var arePricesNew = false
            for event in events {
                state.known.take(event.event, event.recorded)
                arePricesNew = state.prices.take(event.event, event.recorded) || arePricesNew
                switch event.event {
                case .upstreamSet, .upstreamRemoved, .keyIssued, .keyRotated: needsSecrets = true
                default: break
                }
            }
            state.known.skip(to: position)
            if arePricesNew { state.pricing = CallPricing(state.prices.catalogue, policy: policy) }
            if needsSecrets { openDoors(&state) }
            return state.known.keys.enforcements(at: now())
        }
        if needsSecrets { secretsChanged() }
        guard !enforcements.isEmpty else { return [] }
        return enforcements.map { fact in
            let cause = events.first { $0.recorded.position.value == fact.decision }?.recorded.event.id
            return KeyEnforcement(fact: fact, cause: cause ?? EventID.none)
        }
    }

    /// Credentials that are still right are kept.
    private func openDoors(_ state: inout State) {
        var doors: [String: UpstreamDoor] = [:]
        for facts in state.known.keys.upstreams {
            guard var door = UpstreamDoor(facts, authorities: authorities) else { continue }
            if let old = state.doors[facts.name], old.facts.secretID == facts.secretID,
                old.facts.secretVersion == facts.secretVersion, old.facts.provider == facts.provider
            {
                door.credential = old.credential
            }
            doors[facts.name] = door
        }
        state.doors = doors
    }

    func snapshot() -> [UInt8] {
        state.withLock { state in
            let known: [UInt8]
            do { known = try state.known.snapshot() } catch {
                preconditionFailure("the state can be written: \(error)")
            }
            var bytes = withUnsafeBytes(of: UInt64(known.count).littleEndian) { Array($0) }
            bytes += known
            state.prices.encode(into: &bytes)
            return bytes
        }
    }

    func restore(_ bytes: [UInt8]) throws {
        guard bytes.count >= 8 else { throw UnreadableState() }
        let count = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard count <= UInt64(bytes.count - 8) else { throw UnreadableState() }
        let end = 8 + Int(count)
        guard let known = GatewayState(snapshot: Array(bytes[8..<end]), gateway: gateway, terms: terms) else {
            throw UnreadableState()
        }
        let prices = try PriceShelf(bytes[end...])
        state.withLock { state in
            state.known = known
            state.prices = prices
            state.pricing = CallPricing(prices.catalogue, policy: policy)
            openDoors(&state)
        }
        secretsChanged()
    }

    struct UnreadableState: Error, CustomStringConvertible {
        var description: String { "written by another version of the gateway" }
    }

    // MARK: Secrets

    /// Upstreams whose key has not been fetched.
    var lackingCredentials: [UpstreamFacts] {
        state.withLock { $0.doors.values.filter { $0.credential == nil }.map(\.facts) }
    }

    func take(_ secret: Secret, for facts: UpstreamFacts) {
        state.withLock { state in
            guard state.doors[facts.name]?.facts.secretID == facts.secretID else { return }
            state.doors[facts.name]?.take(secret)
        }
    }

    // MARK: Calls

    /// What a call asks for.
    struct Request: Sendable {
        let attempt: CallAttempt
        let hash: KeyHash
        let route: Route
        let facts: RequestFacts
        let context: CallContext
        let started: Timestamp
    }

    /// A call that may begin.
    struct Ticket: Sendable {
        let key: KeyFacts
        let door: UpstreamDoor
        let context: CallContext
        /// Tokens set aside in the key's rate.
        let tokens: Int64
    }

    enum Verdict: Sendable {
        case admitted(Ticket)
        case refused(Refusal)
        /// A part of a limit has to be asked for, or was asked for already.
        case wait([LeaseRequest])
    }

    /// Whether a key may be used at all, before its request is read.
    func refusal(_ hash: KeyHash) -> Refusal? {
        switch state.withLock({ $0.known.keys.answer(to: hash, at: now()) }) {
        case .accepted: nil
        case .refused(let reason): refusal(reason)
        }
    }

    func admit(_ request: Request) -> Verdict {
        state.withLock { state in
            let now = now()
            let key: KeyFacts
            switch state.known.keys.answer(to: request.hash, at: now) {
            case .refused(let reason): return .refused(refusal(reason))
            case .accepted(let facts): key = facts
            }
            let (route, model) = (request.route, request.facts.model)
            guard key.allows(route: route.name) else {
                return .refused(.routeNotAllowed(route: route.name, project: key.project, contact: contact))
            }
            guard model.isEmpty || key.allows(model: model) else {
                return .refused(.modelNotAllowed(model: model, project: key.project, contact: contact))
            }
            guard
                let upstream = state.known.keys.upstream(isAnthropic: route.dialect == .anthropic, model: model),
                let door = state.doors[upstream.name]
            else { return .refused(.modelNotServed(model: model)) }
            guard door.credential != nil else { return .refused(.busy(retryAfter: 1)) }
            return admit(request, key, door, &state, at: now)
        }
    }

    private func admit(
        _ request: Request, _ key: KeyFacts, _ door: UpstreamDoor, _ state: inout State, at now: Timestamp
    ) -> Verdict {
        let bound = state.pricing.upperBound(
            request.facts, request.route, provider: door.facts.provider.rawValue, day: Day(utc: request.started))
        switch state.known.budget.reserve(request.attempt, project: key.project, bound: bound.nanos, at: now) {
        case .admitted: break
        case .refused(let reached): return .refused(refusal(reached, key))
        case .needsLease(let requests): return .wait(requests)
        case .waiting: return .wait([])
        }
        let tokens = state.pricing.tokenBound(request.facts, request.route)
        if case .limited(let measure, let limit, let seconds) = state.rates.admit(key, tokens: tokens, at: now) {
            state.known.budget.release(request.attempt)
            let rate: Refusal.Rate = measure == .requests ? .requests : .tokens
            return .refused(
                .rateLimited(rate, limit: Int64(limit), project: key.project, retryAfter: seconds))
        }
        state.known.keys.accept(key.id, call: request.attempt.call, at: now)
        let context = state.contexts.admit(request.context, project: key.project)
        return .admitted(Ticket(key: key, door: door, context: context, tokens: tokens))
    }

    private func refusal(_ reason: KeyRefusal) -> Refusal {
        switch reason {
        case .unknown, .replaced: .unknownKey
        case .expired(let facts):
            .expiredKey(
                prefix: facts.prefix,
                day: facts.expires.map { "\(Day(utc: Timestamp(seconds: $0)))" } ?? "an earlier day")
        case .disabled(let facts):
            .disabledKey(
                prefix: facts.prefix, project: facts.project, reason: "it was switched off", contact: contact)
        }
    }

    private func refusal(_ reached: LimitReached, _ key: KeyFacts) -> Refusal {
        let each = reached.window.kind == .day ? "a day" : "a week"
        let whose =
            switch reached.scope {
            case .project: ""
            case .team(let name): " of team \(name)"
            case .organisation: " of the organisation"
            }
        return .limitReached(
            project: key.project, limit: "\(reached.limit) \(each)\(whose)",
            resets: "\(reached.resets.rfc3339) (midnight in \(reached.zone))", contact: contact)
    }

    /// Prices an attempt that ended.
    func complete(_ call: inout WireCallRecorded, _ route: Route, _ reading: MeterReading) {
        state.withLock { $0.pricing.complete(&call, route, reading) }
    }

    /// Its record is kept: what it was admitted with gives way to what it used.
    func settle(_ call: WireCallRecorded, _ ticket: Ticket) {
        let used = call.quantities.inputTokens + call.quantities.outputTokens
        state.withLock { state in
            state.known.budget.settle(call)
            state.rates.settle(ticket.key, setAside: ticket.tokens, used: used, at: now())
        }
    }

    /// Of an earlier run: its record may not have reached the log.
    func settle(_ call: WireCallRecorded) { state.withLock { $0.known.budget.settle(call) } }

    // MARK: Leases

    func maintain() -> [LeaseRequest] { state.withLock { $0.known.budget.maintain(at: now()) } }
    func granted(_ request: LeaseRequest, at position: Position) {
        state.withLock { $0.known.budget.granted(request, position: position) }
    }
    func failed(_ request: LeaseRequest) { state.withLock { $0.known.budget.failed(request) } }
}
