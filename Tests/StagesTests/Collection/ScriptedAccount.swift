import EventLog
import FinOps
import Logging
import Synchronization
import TestSupport

@testable import Stages

/// A provider account whose statements a test sets.
final class ScriptedAccount: UsageSource {
    struct Script: Sendable {
        var usage: [Day: [WireUsageRow]] = [:]
        var bills: [Day: [BillLine]] = [:]
        var usageFailure: SourceFailure?
        var billFailure: SourceFailure?
        var notes: [String] = []
        var rejectedUsage: [Day: SourceFailure] = [:]
        var rejectedBills: [Day: SourceFailure] = [:]
        /// Kinds it tells of.
        var kinds = ["completions"]
    }

    private let state: Mutex<(script: Script, asked: [ClosedRange<Day>], requests: Int)>

    init(_ script: Script = Script()) { state = Mutex((script: script, asked: [], requests: 0)) }

    func change(_ body: (inout Script) -> Void) { state.withLock { body(&$0.script) } }
    var asked: [ClosedRange<Day>] { state.withLock(\.asked) }
    var effort: SourceEffort { SourceEffort(requests: state.withLock(\.requests)) }

    private func script(asked days: ClosedRange<Day>?) -> Script {
        state.withLock { state in
            if let days { state.asked.append(days) }
            state.requests += 1
            return state.script
        }
    }

    func usage(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        UsageObservation
    > {
        let script = script(asked: days)
        if let failure = script.usageFailure { throw failure }
        var covered: Set<UsageBucket> = []
        for day in days.all where day.utcStart < now {
            for kind in script.kinds {
                for hour in 0..<Int64(24) {
                    covered.insert(UsageBucket(kind: kind, start: day.utcStart.seconds + hour * 3_600))
                }
            }
        }
        let rows = days.all.flatMap { script.usage[$0] ?? [] }
        return SourceAnswer(
            UsageObservation(provider: "openai", account: "acme", observed: now, rows: rows, covered: covered),
            notes: script.notes, rejected: script.rejectedUsage)
    }

    func bills(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        BillObservation
    >? {
        let script = script(asked: nil)
        if let failure = script.billFailure { throw failure }
        let rows = days.all.flatMap { script.bills[$0] ?? [] }
        return SourceAnswer(
            BillObservation(
                provider: "openai", account: "acme", observed: now, rows: rows, covered: Set(days.all)),
            rejected: script.rejectedBills)
    }
}

extension ClosedRange<Day> {
    var all: [Day] { (lowerBound.number...upperBound.number).map { Day(number: $0) } }
}

/// A store that stops answering after some appends, as if the run were killed there.
actor DyingStore: EventStore {
    private let store: any EventStore
    private var appendsLeft: Int

    init(_ store: any EventStore, appends: Int) {
        self.store = store
        appendsLeft = appends
    }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        guard appendsLeft > 0 else {
            throw .failed(StoreFailure(code: "killed", message: "killed", isRetriable: false))
        }
        appendsLeft -= 1
        return try await store.append(request)
    }

    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try await store.openSession(producer)
    }
    func head() async throws(StoreError) -> Position { try await store.head() }
    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try await store.session(of: producer)
    }
    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try await store.read(after: position, limit: limit, types: types)
    }
    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError) -> [RecordedEvent]
    {
        try await store.read(stream: stream, after: version, limit: limit)
    }
    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try await store.streams(prefix: prefix, after: name, limit: limit)
    }
}

/// A log, a clock that a test moves, and what a collector needs of both.
final class CollectionScene: Sendable {
    static let account = CollectedAccount(provider: "openai", name: "acme", keyMask: "sk-admin-…0001")

    let log: InMemoryEventStore
    let source = ScriptedAccount()
    let ledger = ScriptedLedger()
    private let time: Mutex<Timestamp>

    init(now: Timestamp) {
        time = Mutex(now)
        log = InMemoryEventStore(knownTypes: EventCatalogue.knownTypes, now: { now })
    }

    var now: Timestamp { time.withLock(\.self) }
    func set(_ now: Timestamp) { time.withLock { $0 = now } }

    var environment: CollectionEnvironment {
        CollectionEnvironment(
            now: { self.now }, pause: { _ in },
            newID: {
                var random = SystemRandomNumberGenerator()
                return .v7(at: self.now, using: &random)
            }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            ledger: ledger)
    }

    func collector(in log: (any EventStore)? = nil) -> Collector {
        let log = log ?? self.log
        return Collector(
            account: Self.account, source: source, log: log, prices: CurrentPrices(log: log), calendar: .seoul,
            environment: environment)
    }

    func events() async throws -> [FinOpsEvent] {
        try await log.read(after: .start, limit: 10_000, types: nil).events.compactMap {
            try EventCatalogue.decode($0.event)
        }
    }

    /// The quantities that the log says for a day, vanished rows left out.
    func standing(_ day: Day) async throws -> [WireUsageRow] {
        let recorded = try await log.readAll(stream: .usage(account: "acme", day: day))
        let state = UsageDay.fold(try recorded.compactMap { try EventCatalogue.decode($0.event) })
        return state.cells.values.map(\.row).filter { !$0.quantities.isZero }
            .sorted { ($0.bucketStart, $0.model) < ($1.bucketStart, $1.model) }
    }
}

/// A ledger whose runs a test gives up.
final class ScriptedLedger: RunLedger {
    private let state = Mutex<(entries: [RunEntry], givenUp: Set<EventID>)>((entries: [], givenUp: []))

    var entries: [RunEntry] { state.withLock(\.entries) }

    /// From now on the processes of all runs are gone.
    func giveUp() { state.withLock { state in state.givenUp = Set(state.entries.map(\.run)) } }

    func enter(_ run: RunEntry) -> any EnteredRun {
        state.withLock { $0.entries.append(run) }
        return Entered(entry: run, ledger: self)
    }

    func abandoned() -> [any EnteredRun] {
        state.withLock { state in state.entries.filter { state.givenUp.contains($0.run) } }.map {
            Entered(entry: $0, ledger: self)
        }
    }

    private struct Entered: EnteredRun {
        let entry: RunEntry
        let ledger: ScriptedLedger

        func remove() { ledger.state.withLock { state in state.entries.removeAll { $0 == entry } } }
    }
}
