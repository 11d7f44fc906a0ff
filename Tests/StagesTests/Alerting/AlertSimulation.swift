import EventLog
import FinOps
import Logging
import Notices
import SwiftProtobuf
import Synchronization
import TestSupport

@testable import Stages

/// One seed's history, with the programs that follow it and what goes wrong.
final class AlertSimulation: Sendable {
    static let destinations = ["slack", "mail-ko"]
    /// Commits after the first threshold.
    private static let steps = 20
    /// Far more turns than the quiet end takes; after these it hangs.
    private static let mostTurns = 5_000

    private let clock: VirtualClock
    let log: SimulatedLog
    let post: UncertainPost
    private let history: Mutex<RandomHistory>
    private let isOver = Mutex(false)
    /// Programs that are not started again.
    private let ended = Mutex(0)
    private let lives = Mutex<[String: (life: Life, task: Task<Void, any Error>)]>([:])
    /// What ended for no reason.
    let troubles = Mutex<[String]>([])

    init(seed: UInt64) {
        let history = RandomHistory(seed: seed)
        clock = VirtualClock(startingAt: history.start)
        log = SimulatedLog(seed: seed, clock: clock)
        post = UncertainPost(seed: seed, clock: clock)
        self.history = Mutex(history)
    }

    func run() async throws {
        let people = try await log.store.openSession("people")
        _ = try await log.append(AppendRequest(session: people, sequence: 1, Self.channels))
        let collector = try await log.store.openSession("collector")
        let programs = [keepAlive("watcher", watch), keepAlive("notifier", notify)]
        var sequence: UInt64 = 0
        func commit() async throws -> [FinOpsEvent] {
            sequence += 1
            let events = history.withLock { $0.commit().0 }
            let appends = events.map { $0.append(at: clock.now) }
            _ = try await log.append(AppendRequest(session: collector, sequence: sequence, appends))
            return events
        }
        while try await !commit().contains(where: \.isThreshold) {}
        for _ in 1...Self.steps {
            _ = try await commit()
            switch log.pick(0...9) {
            case 0: kill("watcher")
            case 1: kill("notifier")
            case 2...4: clock.advance(atMost: 86_400)
            case 5: try await log.heartbeat()
            default: break
            }
            log.deliver()
            await others(log.pick(0...30))
        }
        log.calm()
        post.calm()
        try await becomeQuiet()
        isOver.withLock { $0 = true }
        while ended.withLock({ $0 }) < programs.count {
            for name in ["watcher", "notifier"] { kill(name) }
            // A delivery may still be under way, and waits for the clock.
            clock.advance(atMost: 60)
            await Task.yield()
        }
    }

    /// Lets the programs work.
    private func others(_ turns: Int) async { for _ in 0..<turns { await Task.yield() } }

    private func becomeQuiet() async throws {
        var ledger = Ledger()
        for _ in 0..<Self.mostTurns {
            try await log.heartbeat()
            log.deliver()
            await others(20)
            if try await isDone(&ledger) { return }
            clock.advance(atMost: 3_600)
        }
        troubles.withLock { $0.append("it does not become quiet") }
    }

    /// What has been seen of the log, so that it is not read again at every turn.
    private struct Ledger {
        var seen: Position = .start
        var lastToWatch: Position = .start
        var lastToTell: Position = .start
        var outboxes = Dictionary(
            uniqueKeysWithValues: AlertSimulation.destinations.map { ($0, Outbox(destination: $0)) })

        mutating func take(_ event: RecordedEvent) throws {
            seen = event.position
            if ThresholdWatcher.types.contains(event.type) { lastToWatch = event.position }
            if Queueing.types.contains(event.type) { lastToTell = event.position }
            guard event.stream.category == "outbox", let decoded = try EventCatalogue.decode(event.event)
            else {
                return
            }
            outboxes[String(event.stream.text.dropFirst("outbox-".count))]?.evolve(
                decoded, at: event.event.occurred)
        }
    }

    /// Whether everything has been judged and told.
    private func isDone(_ ledger: inout Ledger) async throws -> Bool {
        // How far they are is asked first: what they append meanwhile is then still to be judged and told.
        let watched =
            try await log.store.session(of: ProducerName(ThresholdWatcher.stage))?.lastSequence ?? 0
        let notified = try await log.store.session(of: ProducerName(Notifier.stage))?.lastSequence ?? 0
        let news = try await log.store.read(
            after: ledger.seen, limit: EventLimits.readEvents, types: nil)
        for event in news.events { try ledger.take(event) }
        return watched >= ledger.lastToWatch.value && notified >= ledger.lastToTell.value
            && ledger.outboxes.values.allSatisfy { $0.depth == 0 }
    }

    // MARK: Programs

    /// Starts a program again whenever it has died.
    private func keepAlive(_ name: String, _ body: @escaping @Sendable (Life) async throws -> Void)
        -> Task<Void, Never>
    {
        Task {
            defer { ended.withLock { $0 += 1 } }
            while !isOver.withLock({ $0 }) {
                let life = Life()
                let task = Task { try await body(life) }
                lives.withLock { $0[name] = (life, task) }
                let result = await task.result
                if case .failure(let error) = result, !life.isOver, !(error is CancellationError) {
                    troubles.withLock { $0.append("\(name) failed: \(error)") }
                    return
                }
                await Task.yield()
            }
        }
    }

    private func kill(_ name: String) {
        guard let (life, task) = lives.withLock({ $0[name] }) else { return }
        life.end()
        task.cancel()
    }

    private func watch(_ life: Life) async throws {
        let store = KillableStore(log: log, life: life)
        let clock = clock
        let watcher = ThresholdWatcher(
            store: store, reader: store, currency: .usd, logger: .silent, now: { clock.now },
            pause: { try await clock.sleep(for: max($0, .seconds(600))) })
        try await watcher.run(store)
    }

    private func notify(_ life: Life) async throws {
        let store = KillableStore(log: log, life: life)
        let (clock, log, post) = (clock, log, post)
        let surroundings = Notifier.Surroundings(
            now: { clock.now }, sleep: { try await clock.sleep(until: $0) },
            pause: { try await clock.sleep(for: max($0, .seconds(1))) },
            open: { _, _ in Door(post: post, log: log) }, logger: .silent)
        let settings = Notifier.Settings(
            outbox: Outbox.Settings(giveUpAfterSeconds: 400 * 86_400), tick: .seconds(7_200))
        try await Notifier(store: store, reader: store, settings: settings, surroundings).run(store)
    }

    private struct Door: NoticeDelivering {
        let post: UncertainPost
        let log: SimulatedLog

        func deliver(_ notice: Notice) async -> DeliveryOutcome {
            // The simulation's store answers everything.
            let events = (try? await log.store.readAll(stream: .outbox(notice.destination))) ?? []
            let isKnown = events.contains { event in
                guard event.type == "notification.delivered",
                    case .notificationDelivered(let known)? = try? EventCatalogue.decode(event.event)
                else { return false }
                return known.notification == notice.id
            }
            return await post.deliver(notice, isKnownAsDelivered: isKnown)
        }
    }

    private static var channels: [StreamAppend] {
        [("slack", ["slack"]), ("mail", ["mail-ko"])].map { channel, destinations in
            let event = FinOpsEvent.channelSet(
                .with {
                    $0.channel = channel
                    $0.transport = channel
                    $0.destinations = destinations
                })
            return StreamAppend(
                .channel(channel), [event.newEvent(in: .channel(channel), occurred: Timestamp(seconds: 1))])
        }
    }
}

extension FinOpsEvent {
    fileprivate var isThreshold: Bool { if case .thresholdSet = self { true } else { false } }

    fileprivate func append(at time: Timestamp) -> StreamAppend {
        let stream: StreamName =
            switch self {
            case .thresholdSet(let event): .threshold(CostScope(kind: event.scope, name: event.name)!)
            case .thresholdRemoved(let event): .threshold(CostScope(kind: event.scope, name: event.name)!)
            case .attributionAssigned(let event):
                .assignment(provider: event.provider, account: event.account)
            case .billAllocated(let event): .allocation(account: event.account, day: Day(event.day)!)
            case .billTookForce(let event): .allocation(account: event.account, day: Day(event.day)!)
            case .billLeftForce(let event): .allocation(account: event.account, day: Day(event.day)!)
            case .callRecorded(let event): .calls(account: event.account, day: costDay ?? Day(number: 0))
            case .projectAdded, .projectMoved: .projects
            default: .usage(account: "acme", day: costDay ?? Day(number: 0))
            }
        return StreamAppend(stream, [newEvent(in: stream, occurred: time)])
    }
}
