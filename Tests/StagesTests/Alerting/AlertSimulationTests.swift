import EventLog
import FinOps
import Logging
import Notices
import Synchronization
import SwiftProtobuf
import TestSupport
import Testing

@testable import Stages

/// Log, watcher and notifier together, on a clock of their own: the wire drops, repeats and reorders, programs die at any
/// append and at any moment, and the other side takes messages without saying so. Whatever happens, the log has the alerts
/// that the raw events ask for, each crossing is told, and nothing that was acknowledged is sent again.
@Suite struct AlertSimulationTests {
    @Test(arguments: 0..<500) func everySeedTellsEveryCrossing(_ seed: UInt64) async throws {
        let simulation = AlertSimulation(seed: seed)
        try await simulation.run()
        for wrong in try await simulation.wrongs() { Issue.record("seed \(seed): \(wrong)") }
    }
}

private final class AlertSimulation: Sendable {
    private static let destinations = ["slack", "mail-ko"]
    private static let steps = 40
    /// Far more turns than the quiet end takes; after these it hangs.
    private static let mostTurns = 5_000

    private let clock: VirtualClock
    private let log: SimulatedLog
    private let post: UncertainPost
    private let history: Mutex<RandomHistory>
    private let isOver = Mutex(false)
    /// Programs that are not started again.
    private let ended = Mutex(0)
    private let lives = Mutex<[String: (life: Life, task: Task<Void, any Error>)]>([:])
    private let troubles = Mutex<[String]>([])

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
        for step in 1...Self.steps {
            let commit = history.withLock { $0.commit().0 }
            _ = try await log.append(
                AppendRequest(session: collector, sequence: UInt64(step), commit.map { $0.append(at: clock.now) }))
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
            guard event.stream.category == "outbox", let decoded = try EventCatalogue.decode(event.event) else {
                return
            }
            outboxes[String(event.stream.text.dropFirst("outbox-".count))]?.evolve(decoded, at: event.event.occurred)
        }
    }

    /// Whether everything has been judged and told.
    private func isDone(_ ledger: inout Ledger) async throws -> Bool {
        let news = try await log.store.read(after: ledger.seen, limit: EventLimits.readEvents, types: nil)
        for event in news.events { try ledger.take(event) }
        let watched = try await log.store.session(of: ProducerName(ThresholdWatcher.stage))?.lastSequence ?? 0
        let notified = try await log.store.session(of: ProducerName(Notifier.stage))?.lastSequence ?? 0
        return watched >= ledger.lastToWatch.value && notified >= ledger.lastToTell.value
            && ledger.outboxes.values.allSatisfy { $0.depth == 0 }
    }

    // MARK: Programs

    /// Starts a program again whenever it has died.
    private func keepAlive(_ name: String, _ body: @escaping @Sendable (Life) async throws -> Void) -> Task<Void, Never>
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

    // MARK: What must hold

    func wrongs() async throws -> [String] {
        let events = try await log.store.events()
        return try wrongFindings(events) + untold(events) + troubles.withLock { $0 } + post.wrongs
    }

    /// What the log says was found, held against the oracle.
    private func wrongFindings(_ events: [RecordedEvent]) throws -> [String] {
        var found: [UInt64: [String]] = [:]
        var commits: [[RecordedEvent]] = []
        for event in events {
            let decoded = try EventCatalogue.decode(event.event)
            if let position = decoded?.foundAt { found[position, default: []].append(decoded?.words ?? "") }
            guard event.producer == "collector" else { continue }
            if commits.last?.last?.recorded == event.recorded {
                commits[commits.count - 1].append(event)
            } else {
                commits.append([event])
            }
        }
        var oracle = WatchOracle()
        return try commits.compactMap { commit -> String? in
            guard let last = commit.last else { return nil }
            let expected = oracle.commit(
                try commit.compactMap { try EventCatalogue.decode($0.event) }, at: last.recorded)
            let told = (found[last.position.value] ?? []).sorted()
            return told == expected ? nil : "at \(last.position): found \(told), not \(expected)"
        }
    }

    /// Crossings that stand and that somebody did not get.
    private func untold(_ events: [RecordedEvent]) throws -> [String] {
        var told: [String: Set<String>] = [:]
        var standing: [String: Position] = [:]
        for event in events {
            switch try EventCatalogue.decode(event.event) {
            case .notificationStarted(let started):
                guard post.hasAccepted(started.notification, started.destination) else { continue }
                told[started.destination, default: []].formUnion(started.items)
            case .thresholdCrossed(let crossed):
                standing["\(crossed.scope)/\(crossed.name)/\(crossed.window)/\(crossed.firstDay)/\(crossed.level)"] =
                    event.position
            case .thresholdCleared(let cleared):
                standing["\(cleared.scope)/\(cleared.name)/\(cleared.window)/\(cleared.firstDay)/\(cleared.level)"] =
                    nil
            default: break
            }
        }
        return standing.flatMap { what, position in
            Self.destinations.filter { told[$0]?.contains("crossed-\(position)") != true }
                .map { "\(what) at \(position) was not told to \($0)" }
        }
    }
}

extension InMemoryEventStore {
    fileprivate func events() throws(StoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while true {
            let page = try read(after: events.last?.position ?? .start, limit: EventLimits.readEvents, types: nil)
            if page.events.isEmpty { return events }
            events += page.events
        }
    }
}

extension FinOpsEvent {
    fileprivate func append(at time: Timestamp) -> StreamAppend {
        let stream: StreamName =
            switch self {
            case .thresholdSet(let event): .threshold(CostScope(kind: event.scope, name: event.name)!)
            case .thresholdRemoved(let event): .threshold(CostScope(kind: event.scope, name: event.name)!)
            case .attributionAssigned(let event): .assignment(provider: event.provider, account: event.account)
            case .billAllocated(let event): .allocation(account: event.account, day: Day(event.day)!)
            case .billTookForce(let event): .allocation(account: event.account, day: Day(event.day)!)
            case .billLeftForce(let event): .allocation(account: event.account, day: Day(event.day)!)
            default: .usage(account: "acme", day: costDay ?? Day(number: 0))
            }
        return StreamAppend(stream, [newEvent(in: stream, occurred: time)])
    }
}
