import EventLog
import FinOps
import Logging
import Notices
import Stages
import Synchronization
import TestSupport
import Testing

/// A log, a clock, the other side of every channel, and notifiers over them.
struct NotifierBench: Sendable {
    let clock = HandClock(at: hour("2026-11-20", 3))
    let store: InMemoryEventStore
    let otherSide = OtherSide()

    init() { store = InMemoryEventStore(knownTypes: EventCatalogue.knownTypes, now: clock.now) }

    func notifier(
        _ store: (any EventStore)? = nil, reader: (any EventReader)? = nil,
        settings: Outbox.Settings = .init(paceMicroseconds: 0),
        sample: @escaping @Sendable (String) async -> SilenceWatch.StageSample? = { _ in nil },
        stages: [String: String] = [:],
        open: (@Sendable (String, WireChannelSet) throws(DeliveryRefusal) -> any NoticeDelivering)? = nil
    ) -> Notifier {
        let (clock, otherSide) = (clock, otherSide)
        return Notifier(
            store: store ?? self.store, reader: reader ?? self.store,
            settings: .init(outbox: settings, stages: stages, tick: .milliseconds(2)),
            .init(
                now: clock.now, sleep: { try await clock.sleep(until: $0) }, pause: { _ in await Task.yield() },
                open: { destination, channel throws(DeliveryRefusal) in
                    guard let open else { return try otherSide.open(destination, channel) }
                    return try open(destination, channel)
                },
                sample: sample, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Runs a notifier until the condition holds, then stops it as if it were killed: nothing is tidied up.
    func run(
        _ notifier: Notifier, following reader: (any EventReader)? = nil,
        until condition: @escaping @Sendable () async throws -> Bool
    ) async throws {
        let subscriptions = Following(store: reader ?? store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await notifier.run(subscriptions) } catch is CancellationError { return }
            }
            group.addTask { try await eventually(condition) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    // MARK: What happens

    @discardableResult
    func append(_ events: FinOpsEvent..., to stream: StreamName) async throws -> Position {
        var random = SystemRandomNumberGenerator()
        let producer = EventID.v7(at: clock.now(), using: &random)
        let session = try await store.openSession(ProducerName("test-\(producer)"))
        return try await store.append(
            AppendRequest(
                session: session, sequence: 1,
                [StreamAppend(stream, events.map { $0.newEvent(id: producer, occurred: clock.now()) })])
        ).last
    }

    func set(_ channel: String, _ destinations: [String], version: UInt32 = 1) async throws {
        var event = WireChannelSet()
        (event.channel, event.destinations, event.secretVersion) = (channel, destinations, version)
        try await append(.channelSet(event), to: .channel(channel))
    }

    @discardableResult
    func cross(_ project: String, level: UInt32 = 80) async throws -> Position {
        var event = WireThresholdCrossed()
        (event.scope, event.name, event.window) = ("project", project, "day")
        (event.firstDay, event.level) = ("2026-11-20", level)
        return try await append(.thresholdCrossed(event), to: .alerts(.day, firstDay: day("2026-11-20")))
    }

    // MARK: What is in the log

    func events(_ type: EventType) async throws -> [FinOpsEvent] {
        try await store.read(after: .start, limit: 10_000, types: [type]).events.compactMap {
            try EventCatalogue.decode($0.event)
        }
    }

    func count(_ type: EventType) async throws -> Int { try await events(type).count }
}

/// A clock that stands still until it is set; whoever sleeps on it is woken then.
final class HandClock: Sendable {
    private struct State {
        var now: Timestamp
        var sleepers: [Int: (until: Timestamp, continuation: CheckedContinuation<Void, Never>)] = [:]
        var next = 0
    }

    private let state: Mutex<State>

    init(at seconds: Int64) { state = Mutex(State(now: Timestamp(seconds: seconds))) }

    var now: @Sendable () -> Timestamp { { [self] in state.withLock { $0.now } } }

    func advance(bySeconds seconds: Int64) {
        let due = state.withLock { state in
            state.now = state.now.advanced(bySeconds: seconds)
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for key in due.keys { state.sleepers[key] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    func sleep(until moment: Timestamp) async throws {
        let key = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if state.now >= moment || Task.isCancelled { return true }
                    state.sleepers[key] = (moment, continuation)
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: key)?.continuation }?.resume()
        }
        try Task.checkCancellation()
    }
}

/// What everybody who is told something took, and how it behaves.
final class OtherSide: Sendable {
    private struct State {
        var arrived: [Notice] = []
        var answers: [DeliveryOutcome] = []
        var refusal: DeliveryFailure?
        var opened: [UInt32] = []
        /// Takes it, and never answers.
        var isSilent = false
    }

    private let state = Mutex(State())

    var arrived: [Notice] { state.withLock { $0.arrived } }
    var opened: [UInt32] { state.withLock { $0.opened } }

    func facts(_ destination: String) -> [String] {
        arrived.filter { $0.destination == destination }.flatMap(\.facts).map { "\($0.kind.rawValue)-\($0.position)" }
    }

    /// The next messages are answered so, in this order; later ones are taken.
    func answer(_ answers: DeliveryOutcome...) { state.withLock { $0.answers += answers } }
    func refuse(_ failure: DeliveryFailure?) { state.withLock { $0.refusal = failure } }
    func beSilent(_ isSilent: Bool) { state.withLock { $0.isSilent = isSilent } }

    func open(_ destination: String, _ channel: WireChannelSet) throws(DeliveryRefusal) -> any NoticeDelivering {
        let refusal = state.withLock { state in
            state.opened.append(channel.secretVersion)
            return state.refusal
        }
        if let refusal { throw DeliveryRefusal(refusal) }
        return Door(side: self)
    }

    private struct Door: NoticeDelivering {
        let side: OtherSide

        func deliver(_ notice: Notice) async -> DeliveryOutcome {
            let (answer, isSilent) = side.state.withLock { state -> (DeliveryOutcome, Bool) in
                let answer = state.answers.isEmpty ? .delivered(answer: "ok") : state.answers.removeFirst()
                var arrives = true
                if case .failed(let failure) = answer { arrives = failure.isUncertain }
                if arrives { state.arrived.append(notice) }
                return (answer, state.isSilent)
            }
            if isSilent { await withCheckedContinuation { (_: CheckedContinuation<Void, Never>) in } }
            return answer
        }
    }
}

/// Follows a log in memory by looking again and again.
struct Following: EventSubscribing {
    let store: any EventReader

    func subscribe(
        after position: Position, types: Set<EventType>?
    ) -> AsyncThrowingStream<SubscriptionBatch, any Error> {
        let handled = Mutex(position)
        return AsyncThrowingStream { [store] in
            while !Task.isCancelled {
                let after = handled.withLock(\.self)
                let page = try await store.read(after: after, limit: 100, types: types)
                if page.scannedThrough > after {
                    handled.withLock { $0 = page.scannedThrough }
                    return SubscriptionBatch(
                        events: page.events, scannedThrough: page.scannedThrough, head: page.head)
                }
                try await Task.sleep(for: .milliseconds(1))
            }
            return nil
        }
    }
}

struct NotYet: Error {}

/// Returns once the condition holds.
/// - Throws: `NotYet` after 30 s in which it was looked at a thousand times: where simulations of other tests hold the
///   machine's few threads, neither this wait nor what it waits for has its turns, and time alone says nothing.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(30)
    var looks = 0
    while try await !condition() {
        looks += 1
        guard looks < 1_000 || ContinuousClock.now < end else { throw NotYet() }
        try await Task.sleep(for: .milliseconds(1))
    }
}
