import EventLog
import FinOps
import JSON
import Metering
import NIOCore
import NIOHTTP1
import Proxy
import Secret
import Stages
import Synchronization

/// What becomes of a request: who asks, what for, whether it may, where it goes, and that what it used is kept.
final class CallDesk: CallHandling {
    /// What does not change while it runs.
    struct Settings: Sendable {
        var gateway: String
        /// Bytes.
        var bodyLimit: Int
        /// How long the log may be away.
        var grace: Duration
        /// Whether no call is let through after that.
        var closesWithoutLog: Bool
    }

    /// How long a call waits for a part of a limit: where gateways contend for the rest, the log refuses some of them again
    /// and again, and a refusal for want of money is worth more to a caller than one for want of an answer.
    private static let leasePatience = TimeAmount.seconds(5)

    /// Longer than a log that is there says nothing.
    private static let silence = Duration.seconds(4)

    private let settings: Settings
    let admission: Admission
    private let keeper: UsageKeeper
    private let ended: EndedCalls
    let underWay: CallsUnderWay
    private let logDesk: LogDesk
    private let contact: LogContact
    private let now: @Sendable () -> Timestamp
    private let keyHash = Mutex<Secret?>(nil)
    private let isVaultClosed = Atomic(false)
    let beginnings = Mutex(Beginnings())
    let tally = CallTally()

    init(
        _ settings: Settings, admission: Admission, keeper: UsageKeeper, ended: EndedCalls, underWay: CallsUnderWay,
        logDesk: LogDesk, contact: LogContact, now: @escaping @Sendable () -> Timestamp
    ) {
        self.settings = settings
        self.admission = admission
        self.keeper = keeper
        self.ended = ended
        self.underWay = underWay
        self.logDesk = logDesk
        self.contact = contact
        self.now = now
    }

    var gateway: String { settings.gateway }

    /// The vault's secret under which keys are hashed; without it no key is known.
    func take(keyHash secret: Secret) { keyHash.withLock { $0 = secret } }
    /// Whether the vault said why there is none.
    func cannotOpenKeyHash(_ isSo: Bool) { isVaultClosed.store(isSo, ordering: .relaxed) }
    var hasKeyHash: Bool { keyHash.withLock { $0 != nil } }
    /// Every call is refused, whoever asks.
    var isWithoutKeys: Bool { isVaultClosed.load(ordering: .relaxed) && !hasKeyHash }

    func begin(_ request: ProxyRequest, then: @escaping @Sendable (ProxyDecision) -> Void) {
        let (started, id) = beginnings.withLock { $0.next(at: now()) }
        let speaksAnthropic = request.head.headers.contains(name: "anthropic-version")
        do throws(Refused) {
            let call = try read(request, id, started, speaksAnthropic)
            admit(call, request, then)
        } catch {
            tally.refused()
            let dialect = Self.dialect(of: request.head.uri, speaksAnthropic: speaksAnthropic)
            then(.answer(ProxyAnswer(error.refusal.answer(in: dialect, request: "call-\(id)"))))
        }
    }

    func course(ofBodyOf head: HTTPRequestHead, length: Int?) -> BodyCourse {
        let speaksAnthropic = head.headers.contains(name: "anthropic-version")
        let dialect = Self.dialect(of: head.uri, speaksAnthropic: speaksAnthropic)
        do throws(Refused) {
            let (match, hash) = try caller(head, speaksAnthropic)
            try check(hash)
            guard match.route.hasBody, let type = head.headers.first(name: "content-type"), FormReader.reads(type)
            else { return .held }
            do throws(MalformedRequest) {
                let reader = try FormReader(match.route, contentType: type, length: length)
                return .read(UploadedForm(reader) { self.refuse(.malformed($0), dialect) })
            } catch { throw Refused(.malformed(error)) }
        } catch {
            return .refused(refuse(error.refusal, dialect))
        }
    }

    private func refuse(_ refusal: Refusal, _ dialect: Dialect) -> ProxyAnswer {
        tally.refused()
        return ProxyAnswer(refusal.answer(in: dialect, request: requestID()))
    }

    private func read(
        _ request: ProxyRequest, _ id: EventID, _ started: Timestamp, _ speaksAnthropic: Bool
    ) throws(Refused) -> IncomingCall {
        let headers = request.head.headers
        let (match, hash) = try caller(request.head, speaksAnthropic)
        if let form = request.reader as? UploadedForm, let facts = form.facts {
            return IncomingCall(request, id, match, facts, hash, started)
        }
        let facts: RequestFacts
        switch Self.facts(match.route, headers.first(name: "content-type"), request.body) {
        case .success(let read): facts = read
        case .failure(let malformed):
            // Whoever may not call at all is told that and no more. Of all others admission asks it.
            try check(hash)
            throw Refused(.malformed(malformed))
        }
        return IncomingCall(request, id, match, facts, hash, started)
    }

    private func check(_ hash: KeyHash) throws(Refused) {
        if let refusal = admission.refusal(hash) { throw Refused(refusal) }
    }

    /// What is asked for, and by whom. Who shows nothing that can be a key gets nothing read.
    private func caller(
        _ head: HTTPRequestHead, _ speaksAnthropic: Bool
    ) throws(Refused) -> (match: RouteMatch, hash: KeyHash) {
        let headers = head.headers
        guard
            let match = RouteMatch(
                method: head.method.rawValue, target: head.uri, speaksAnthropic: speaksAnthropic)
        else { throw Refused(.unknownRoute) }
        var keys = IncomingCall.keys(headers)
        defer { for place in keys.indices { keys[place].cleanse() } }
        guard !keys.isEmpty else { throw Refused(.noKey) }
        // Whose call it is must not be up to the order of its fields.
        guard keys.count == 1 else { throw Refused(.severalKeys) }
        guard VirtualKey.isWellFormed(keys[0]) else { throw Refused(.unknownKey) }
        guard let secret = keyHash.withLock({ $0 }) else {
            // Before the first key is issued there is none to be known by; else the right key may be the one shown.
            throw Refused(isVaultClosed.load(ordering: .relaxed) ? .vaultClosed(retryAfter: 5) : .unknownKey)
        }
        let hash = secret.withUTF8 { KeyHash(of: keys[0], under: $0) }
        return (match, hash)
    }

    private static func facts(
        _ route: Route, _ contentType: String?, _ body: ByteBuffer
    ) -> Result<RequestFacts, MalformedRequest> {
        body.withUnsafeReadableBytes { bytes in
            Result { () throws(MalformedRequest) in
                try RequestFacts.read(route, contentType: contentType, body: bytes)
            }
        }
    }

    private func admit(
        _ call: IncomingCall, _ request: ProxyRequest, waitsSince: NIODeadline? = nil,
        _ then: @escaping @Sendable (ProxyDecision) -> Void
    ) {
        if let refusal = unready { return refuse(call, admission.refusal(call.hash) ?? refusal, then) }
        switch admission.admit(call, context(call, request.head.headers), logAwaySince: { logAwaySince }) {
        case .admitted(let ticket):
            tally.admitted()
            let begun = Self.begun(call, ticket, gateway: gateway)
            // Before the call goes on: whatever ends this program, the next run knows of it.
            let place = underWay.add(begun, bound: ticket.bound)
            let watch = CallWatch(call, ticket, begun: begun, place: place, desk: self)
            then(.forward(call.upstreamRequest(request, ticket.door), watch))
        case .refused(let refusal): refuse(call, refusal, then)
        case .wait(let requests):
            // What was to be asked for is asked for all the same: the next call needs it, too.
            let (now, since) = (NIODeadline.now(), waitsSince ?? .now())
            guard now < since + Self.leasePatience else {
                logDesk.wait(for: requests) {}
                return refuse(call, isLogAway ? .limitUnknown(retryAfter: 5) : .busy(retryAfter: 1), then)
            }
            logDesk.wait(for: requests) { self.admit(call, request, waitsSince: since, then) }
        }
    }

    /// Why no call is let through at all.
    private var unready: Refusal? {
        if keeper.refusesCalls || keeper.closesWhenFull && underWay.failure != nil {
            return .notRecordable(retryAfter: 5)
        }
        if settings.closesWithoutLog, isOutOfDate { return .outOfDate(retryAfter: 5) }
        return nil
    }

    var isLogAway: Bool { contact.age() >= Self.silence }

    /// When it was last there, if it is away.
    private var logAwaySince: Timestamp? {
        let age = contact.age()
        return age >= Self.silence ? now().advanced(bySeconds: -age.components.seconds) : nil
    }

    /// Whether keys and limits may have changed without a word for longer than is borne.
    var isOutOfDate: Bool { contact.age() > settings.grace }

    private func context(_ call: IncomingCall, _ headers: HTTPHeaders) -> CallContext {
        // Most calls have none of ours, and each look into the headers is one at all of them.
        var own: [(name: String, value: String)] = []
        for (name, value) in headers where IncomingCall.isOwn(name) {
            own.append((name.lowercased(), value))
        }
        if own.isEmpty, call.facts.metadata.isEmpty, call.facts.user == nil { return CallContext() }
        guard let secret = keyHash.withLock({ $0 }) else { return CallContext() }
        return secret.withUTF8 { key in
            CallContext(header: { name in own.last { $0.name == name }?.value }, facts: call.facts, key: key)
        }
    }

    private func refuse(
        _ call: IncomingCall, _ refusal: Refusal, _ then: @escaping @Sendable (ProxyDecision) -> Void
    ) {
        tally.refused()
        then(.answer(answer(refusal, call)))
    }

    func answer(_ refusal: Refusal, _ call: IncomingCall) -> ProxyAnswer {
        ProxyAnswer(refusal.answer(in: call.match.route.dialect, request: call.attempt.call))
    }

    /// What is known of an attempt when it begins.
    private static func begun(
        _ call: IncomingCall, _ ticket: Admission.Ticket, gateway: String
    ) -> WireCallRecorded {
        let (upstream, route) = (ticket.door.facts, call.match.route)
        var event = WireCallRecorded()
        event.call = call.attempt.call
        event.attempt = call.attempt.attempt
        event.gateway = gateway
        event.key = ticket.key.id
        event.project = ticket.key.project
        event.upstream = upstream.name
        event.provider = upstream.provider.rawValue
        event.account = upstream.account
        if let key = upstream.providerKeyID { event.providerKeyID = key }
        if let project = upstream.providerProjectID { event.providerProjectID = project }
        event.route = route.name
        event.modelAsked = call.facts.model
        event.started = call.started.microseconds
        event.streamed = call.facts.streams
        event.context = ticket.context.wire
        event.serviceTier = call.facts.namedTier
        event.quantities = MeterReading.useOfRequest(route, call.facts)
        if route.answersLater(call.facts) { event.bound.nanos = ticket.bound }
        return event
    }

    /// Called when an attempt ended, before its last byte is released.
    /// - Parameter place: among the calls under way.
    func record(
        _ event: inout WireCallRecorded, _ call: IncomingCall, _ ticket: Admission.Ticket, _ reading: MeterReading,
        place: Int?
    ) {
        admission.complete(&event, call.match.route, reading, bound: ticket.bound)
        let (new, stream) = prepare(event, id: call.id)
        ended.keep(new, in: stream, of: event, place: place)
        admission.settle(event, ticket)
        tally.ended(event)
    }

    /// - Returns: whether it is kept; else it waits in memory.
    @discardableResult
    func keep(_ event: WireCallRecorded, id: EventID, place: Int?) -> Bool {
        let (new, stream) = prepare(event, id: id)
        return keeper.keep(new, in: stream, of: event, place: place)
    }

    private func prepare(_ event: WireCallRecorded, id: EventID) -> (event: NewEvent, stream: StreamName) {
        let started = Timestamp(microseconds: event.started)
        let new = FinOpsEvent.callRecorded(event).newEvent(id: id, occurred: started)
        admission.remember(event, as: new)
        return (new, StreamName.calls(account: event.account, day: Day(utc: started)))
    }

    // MARK: What never became a call

    func answer(to problem: ProxyProblem, target: String?) -> ProxyAnswer {
        let refusal: Refusal =
            switch problem {
            case .bodyTooLarge: .tooLarge(limit: settings.bodyLimit)
            case .overloaded: .busy(retryAfter: 2)
            default:
                .unreadable(status: Int(problem.status.code), code: problem.rawValue, sentence: problem.sentence)
            }
        return refuse(refusal, Self.dialect(of: target ?? "", speaksAnthropic: false))
    }

    private func requestID() -> String { "call-\(beginnings.withLock { $0.next(at: now()).id })" }

    private static func dialect(of target: String, speaksAnthropic: Bool) -> Dialect {
        speaksAnthropic || target.hasPrefix("/v1/messages") ? .anthropic : .openai
    }
}

/// Why a request does not become a call.
private struct Refused: Error {
    let refusal: Refusal

    init(_ refusal: Refusal) { self.refusal = refusal }
}

extension ProxyAnswer {
    init(_ answer: RefusalAnswer) {
        var headers = HTTPHeaders()
        for (name, value) in answer.headers { headers.add(name: name, value: value) }
        self.init(
            status: HTTPResponseStatus(statusCode: answer.status), headers: headers,
            body: ByteBuffer(bytes: answer.body))
    }
}
