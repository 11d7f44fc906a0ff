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
        /// How long the log may be away before no call is let through.
        var grace: Duration
    }

    /// How often a call asks again for a part of a limit.
    private static let leaseAttempts = 3

    private let settings: Settings
    private let admission: Admission
    private let keeper: UsageKeeper
    private let leases: LeaseDesk
    private let contact: LogContact
    private let now: @Sendable () -> Timestamp
    private let keyHash = Mutex<Secret?>(nil)
    let tally = CallTally()

    init(
        _ settings: Settings, admission: Admission, keeper: UsageKeeper, leases: LeaseDesk, contact: LogContact,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.settings = settings
        self.admission = admission
        self.keeper = keeper
        self.leases = leases
        self.contact = contact
        self.now = now
    }

    var gateway: String { settings.gateway }

    /// The vault's secret under which keys are hashed; without it no key is known.
    func take(keyHash secret: Secret) { keyHash.withLock { $0 = secret } }
    var hasKeyHash: Bool { keyHash.withLock { $0 != nil } }

    func begin(_ request: ProxyRequest, then: @escaping @Sendable (ProxyDecision) -> Void) {
        let started = now()
        let id = EventID.v7(at: started)
        let speaksAnthropic = request.head.headers.contains(name: "anthropic-version")
        let dialect = Self.dialect(of: request.head.uri, speaksAnthropic: speaksAnthropic)
        do throws(Refused) {
            let call = try read(request, id, started, speaksAnthropic)
            admit(call, attemptsLeft: Self.leaseAttempts, then)
        } catch {
            tally.refused()
            then(.answer(ProxyAnswer(error.refusal.answer(in: dialect, request: "call-\(id)"))))
        }
    }

    private func read(
        _ request: ProxyRequest, _ id: EventID, _ started: Timestamp, _ speaksAnthropic: Bool
    ) throws(Refused) -> IncomingCall {
        let headers = request.head.headers
        guard
            let match = RouteMatch(
                method: request.head.method.rawValue, target: request.head.uri, speaksAnthropic: speaksAnthropic)
        else { throw Refused(.unknownRoute) }
        guard var key = IncomingCall.key(headers) else { throw Refused(.noKey) }
        defer { key.cleanse() }
        guard VirtualKey.isWellFormed(key), let secret = keyHash.withLock({ $0 }) else { throw Refused(.unknownKey) }
        let hash = secret.withUTF8 { KeyHash(of: key, under: $0) }
        // Who shows no key that counts gets nothing read.
        if let refusal = admission.refusal(hash) { throw Refused(refusal) }
        let facts: RequestFacts
        switch Self.facts(match.route, headers.first(name: "content-type"), request.body) {
        case .success(let read): facts = read
        case .failure(let malformed): throw Refused(.malformed(malformed))
        }
        return IncomingCall(
            request: request, id: id, attempt: IncomingCall.attempt(headers, id, hash), match: match, facts: facts,
            hash: hash, started: started)
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
        _ call: IncomingCall, attemptsLeft: Int, _ then: @escaping @Sendable (ProxyDecision) -> Void
    ) {
        if let refusal = unready { return refuse(call, refusal, then) }
        let request = Admission.Request(
            attempt: call.attempt, hash: call.hash, route: call.match.route, facts: call.facts, context: context(call),
            started: call.started)
        switch admission.admit(request) {
        case .admitted(let ticket):
            tally.admitted()
            then(.forward(call.upstreamRequest(ticket.door), CallWatch(call, ticket, desk: self)))
        case .refused(let refusal): refuse(call, refusal, then)
        case .wait(let requests):
            guard attemptsLeft > 0 else { return refuse(call, .busy(retryAfter: 1), then) }
            leases.wait(for: requests) { self.admit(call, attemptsLeft: attemptsLeft - 1, then) }
        }
    }

    /// Why no call is let through at all.
    private var unready: Refusal? {
        if keeper.refusesCalls { return .notRecordable(retryAfter: 5) }
        if contact.age() > settings.grace { return .outOfDate(retryAfter: 5) }
        return nil
    }

    private func context(_ call: IncomingCall) -> CallContext {
        guard let secret = keyHash.withLock({ $0 }) else { return CallContext() }
        // Most calls have none of ours, and each look into the headers is one at all of them.
        let own = call.request.head.headers.filter { IncomingCall.isOwn($0.name) }
            .map { (name: $0.name.lowercased(), value: $0.value) }
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

    /// Called when an attempt ended, before its last byte is released.
    func record(
        _ event: inout WireCallRecorded, _ call: IncomingCall, _ ticket: Admission.Ticket, _ reading: MeterReading
    ) {
        admission.complete(&event, call.match.route, reading)
        let stream = StreamName.calls(account: event.account, day: Day(utc: call.started))
        keeper.keep(
            FinOpsEvent.callRecorded(event).newEvent(id: call.id, occurred: call.started), in: stream)
        admission.settle(event, ticket)
        tally.ended(event)
    }

    // MARK: What never became a call

    func answer(to problem: ProxyProblem, target: String?) -> ProxyAnswer {
        tally.refused()
        let dialect = Self.dialect(of: target ?? "", speaksAnthropic: false)
        let id = "call-\(EventID.v7(at: now()))"
        switch problem {
        case .bodyTooLarge:
            return ProxyAnswer(Refusal.tooLarge(limit: settings.bodyLimit).answer(in: dialect, request: id))
        case .overloaded: return ProxyAnswer(Refusal.busy(retryAfter: 2).answer(in: dialect, request: id))
        default: return Self.plain(problem, dialect)
        }
    }

    /// What is wrong with the request as HTTP: no client of either dialect ever sees it.
    private static func plain(_ problem: ProxyProblem, _ dialect: Dialect) -> ProxyAnswer {
        let error: JSONValue = [
            "message": .string(problem.sentence), "type": "invalid_request_error", "param": .null,
            "code": .string(problem.rawValue),
        ]
        let body: JSONValue =
            dialect == .anthropic
            ? [
                "type": "error",
                "error": ["type": "invalid_request_error", "message": .string(problem.sentence)],
            ] : ["error": error]
        return ProxyAnswer(
            status: problem.status, headers: ["content-type": "application/json"], body: ByteBuffer(string: body.text))
    }

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
