import EventLog
import FinOps
import Metering
import Secret
import Stages
import Synchronization

/// Who may call what, under one lock: the log's events come in here, and every call asks here.
final class Admission: GatewaySink {
    struct State: Sendable {
        var known: GatewayState
        var prices = PriceShelf()
        var pricing: CallPricing
        var contexts = ContextRegister()
        var served = ServedModels()
        var doors: [String: UpstreamDoor] = [:]
    }

    let gateway: String
    let terms: BudgetTerms
    private let policy: ReservationPolicy
    let contact: String
    private let authorities: String?
    /// Of the business: days of keys are its days.
    let zone: String
    let now: @Sendable () -> Timestamp
    private let begun = ContinuousClock.now
    /// Told when what has to be fetched from the vault may have changed.
    private let secretsChanged: @Sendable () -> Void
    /// Calls wait there for what the log says.
    private let requests: LogRequests
    let state: Guarded<State>
    /// Beside the lock that admits: only calls that end and the subscription come here.
    private let own = Guarded(OwnCalls())
    /// Calls that end are priced beside the lock that admits. Each has a memory of its own, so there are several.
    let desks: [PricingDesk]

    /// - Parameters:
    ///   - contact: whom a refused caller may ask.
    ///   - zone: IANA, of the business.
    ///   - authorities: PEM file of authorities that upstreams' certificates may also come from.
    init(
        gateway: String, terms: BudgetTerms, contact: String, zone: String, authorities: String?,
        requests: LogRequests, now: @escaping @Sendable () -> Timestamp, secretsChanged: @escaping @Sendable () -> Void
    ) {
        self.gateway = gateway
        self.terms = terms
        policy = ReservationPolicy(unpricedPerMillion: terms.unpricedPerMillion)
        self.contact = contact
        self.zone = zone
        self.authorities = authorities
        self.now = now
        self.secretsChanged = secretsChanged
        self.requests = requests
        let pricing = CallPricing(.empty, policy: policy)
        state = Guarded(State(known: GatewayState(gateway: gateway, terms: terms), pricing: pricing))
        desks = (0..<8).map { _ in PricingDesk(pricing) }
    }

    /// A clock that nobody sets: how long calls run, and what a key may do in a minute, goes by it.
    var running: Timestamp {
        let (seconds, attoseconds) = (ContinuousClock.now - begun).components
        return Timestamp(microseconds: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// The types of the log's events that count here.
    static let types = GatewayState.types.union(PriceShelf.types)

    // MARK: From the log

    /// How many events are taken in while calls wait for the lock.
    private static let eventsAtOnce = 16

    /// A call is about to be kept: when the log sends it back, it is known.
    func remember(_ call: WireCallRecorded, as event: NewEvent) { own.withLock { $0.add(call, as: event) } }
    func known(_ recorded: RecordedEvent) -> FinOpsEvent? { own.withLock { $0.take(recorded) } }

    func apply(_ events: [GatewayEvent], through position: Position) -> [KeyEnforcement] {
        var news = News()
        var rest = events[...]
        while rest.count > Self.eventsAtOnce {
            state.withLock { take(rest.prefix(Self.eventsAtOnce), &$0, &news) }
            rest = rest.dropFirst(Self.eventsAtOnce)
        }
        let enforcements = state.withLock { state in
            take(rest, &state, &news)
            state.known.skip(to: position)
            return state.known.keys.enforcements(at: now())
        }
        if news.needsSecrets { secretsChanged() }
        // One that finds no room is lost to both, and flows back.
        for gift in news.gifts { _ = requests.submit([.give(gift)]) }
        if news.isAwaited { requests.wake() }
        guard !enforcements.isEmpty else { return [] }
        return enforcements.map { fact in
            let cause = events.first { $0.recorded.position.value == fact.decision }?.recorded.event.id
            return KeyEnforcement(fact: fact, cause: cause ?? EventID.none)
        }
    }

    /// What follows from events beside the state.
    private struct News {
        /// The vault may have something new.
        var needsSecrets = false
        var gifts: [KeyPaceGift] = []
        /// Calls may wait for what was said.
        var isAwaited = false
    }

    private func take(_ events: ArraySlice<GatewayEvent>, _ state: inout State, _ news: inout News) {
        var (arePricesNew, needsSecrets) = (false, false)
        for event in events {
            state.known.take(event.event, event.recorded)
            if case .callRecorded(let call) = event.event {
                state.contexts.take(call)
                state.served.take(call)
            }
            arePricesNew = state.prices.take(event.event, event.recorded) || arePricesNew
            switch event.event {
            case .upstreamSet, .upstreamRemoved, .keyIssued, .keyRotated: needsSecrets = true
            default: break
            }
        }
        if arePricesNew { usePrices(&state) }
        if needsSecrets {
            openDoors(&state)
            news.needsSecrets = true
        }
        if state.known.paces.hasNews {
            news.gifts += state.known.paces.act(state.known.keys, at: now(), running: running)
            news.isAwaited = true
        }
    }

    private func usePrices(_ state: inout State) {
        let pricing = CallPricing(state.prices.catalogue, policy: policy)
        state.pricing = pricing
        for desk in desks { desk.use(pricing) }
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
            let parts: [[UInt8]]
            do {
                parts = [try state.known.snapshot(), try state.contexts.snapshot(), try state.served.snapshot()]
            } catch {
                preconditionFailure("the state can be written: \(error)")
            }
            var bytes: [UInt8] = []
            for part in parts {
                bytes += withUnsafeBytes(of: UInt64(part.count).littleEndian) { Array($0) }
                bytes += part
            }
            state.prices.encode(into: &bytes)
            return bytes
        }
    }

    func restore(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        guard let known = GatewayState(snapshot: try Self.part(of: &rest), gateway: gateway, terms: terms) else {
            throw UnreadableState()
        }
        let contexts = try ContextRegister(snapshot: try Self.part(of: &rest))
        let served = try ServedModels(snapshot: try Self.part(of: &rest))
        let prices = try PriceShelf(rest)
        state.withLock { state in
            state.known = known
            state.contexts = contexts
            state.served = served
            state.prices = prices
            usePrices(&state)
            openDoors(&state)
        }
        secretsChanged()
    }

    /// Takes a part, with its length before it.
    private static func part(of bytes: inout ArraySlice<UInt8>) throws(UnreadableState) -> [UInt8] {
        guard bytes.count >= 8 else { throw UnreadableState() }
        let count = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        bytes = bytes.dropFirst(8)
        guard count <= UInt64(bytes.count) else { throw UnreadableState() }
        defer { bytes = bytes.dropFirst(Int(count)) }
        return Array(bytes.prefix(Int(count)))
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

    // MARK: Leases

    /// What the log and earlier runs know is counted; said again, it changes nothing.
    func beginSpending() { state.withLock { $0.known.budget.beginSpending(at: now()) } }
    /// The log has not been heard for a while.
    func logIsAway() { state.withLock { $0.known.budget.logIsAway(at: now()) } }
    func maintain() -> [LeaseRequest] { state.withLock { $0.known.budget.maintain(at: now(), running: running) } }
    func granted(_ request: LogRequest, at position: Position) {
        // Of all others the subscription tells, in the order in which they count.
        guard case .lease(let request) = request else { return }
        state.withLock { $0.known.budget.granted(request, position: position) }
    }
    func isCurrent(_ request: LogRequest) -> Bool {
        switch request {
        case .lease(let request): state.withLock { $0.known.budget.isCurrent(request, at: now()) }
        case .join(let joining): state.withLock { $0.known.paces.isCurrent(joining) }
        case .give(let gift): gift.isCurrent(at: running)
        }
    }
    func failed(_ request: LogRequest) {
        switch request {
        case .lease(let request): state.withLock { $0.known.budget.failed(request) }
        case .join(let joining): state.withLock { $0.known.paces.failed(joining) }
        case .give: break
        }
    }
}
