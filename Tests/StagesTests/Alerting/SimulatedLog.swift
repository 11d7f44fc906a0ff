import EventLog
import Synchronization
import TestSupport

@testable import Messaging
@testable import Stages

/// A log and the wire that leads from it: commits are told to subscribers, but some are lost, repeated or overtaken, and
/// reading is the way to know.
final class SimulatedLog: Sendable {
    private struct State {
        var random: SeededGenerator
        var wires: [SimulatedWire] = []
        /// Per cent of what is told that never arrives.
        var loss: Int
        /// Per cent of appends after which nobody is left to hear the answer, or nothing is heard.
        var misfortune: Int
    }

    let store: InMemoryEventStore
    private let state: Mutex<State>

    init(seed: UInt64, clock: VirtualClock) {
        store = InMemoryEventStore(now: { clock.stamp() })
        var random = SeededGenerator(seed: seed)
        let loss = Int.random(in: 0...60, using: &random)
        state = Mutex(State(random: random, loss: loss, misfortune: 6))
    }

    func pick(_ range: ClosedRange<Int>) -> Int { state.withLock { Int.random(in: range, using: &$0.random) } }

    /// From here on everything arrives, and nobody dies.
    func calm() {
        state.withLock { state in
            state.loss = 0
            state.misfortune = 0
        }
    }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        let receipt = try await store.append(request)
        guard receipt.count > 0, !receipt.repeated else { return receipt }
        let page = try await store.read(
            after: Position(receipt.first.value - 1), limit: receipt.count, types: nil)
        var bytes: [UInt8] = []
        for event in page.events { EventCodec.encode(event, into: &bytes) }
        for frame in CommitFrames(bytes, first: receipt.first) { tell(frame) }
        return receipt
    }

    /// Says how long the log is.
    func heartbeat() async throws { tell(Publication.heartbeatFrame(head: try await store.head())) }

    private func tell(_ frame: [UInt8]) {
        let copies = state.withLock { state in
            let wires = state.wires
            return wires.flatMap { wire -> [(SimulatedWire, Int)] in
                if Int.random(in: 0..<100, using: &state.random) < state.loss { return [] }
                let isOvertaken = Int.random(in: 0..<4, using: &state.random) == 0
                let isRepeated = Int.random(in: 0..<10, using: &state.random) == 0
                return Array(repeating: (wire, isOvertaken ? 1 : 0), count: isRepeated ? 2 : 1)
            }
        }
        for (wire, places) in copies { wire.send(frame, before: places) }
    }

    func connect() -> SimulatedWire {
        let wire = SimulatedWire()
        state.withLock { $0.wires.append(wire) }
        return wire
    }

    func disconnect(_ wire: SimulatedWire) { state.withLock { $0.wires.removeAll { $0 === wire } } }

    /// Lets what is under way arrive.
    func deliver() { for wire in state.withLock({ $0.wires }) { wire.deliver() } }

    /// What happens to the next append of a program that may die.
    enum Fate { case well, diesBefore, diesAfter, unanswered }

    func fate() -> Fate {
        state.withLock { state in
            guard Int.random(in: 0..<100, using: &state.random) < state.misfortune else { return .well }
            return [Fate.diesBefore, .diesAfter, .unanswered].randomElement(using: &state.random) ?? .well
        }
    }
}

/// What is under way to one subscriber, and what has arrived.
final class SimulatedWire: Sendable {
    private struct State {
        var underWay: [[UInt8]] = []
        var buffer = CommitBuffer(limitBytes: 8_000)
    }

    private let state = Mutex(State())
    let bell = Doorbell()

    func send(_ frame: [UInt8], before places: Int) {
        state.withLock { $0.underWay.insert(frame, at: max(0, $0.underWay.count - places)) }
    }

    func deliver() {
        state.withLock { state in
            for frame in state.underWay {
                // What is damaged is dropped, as the listener does.
                if let publication = try? frame.withUnsafeBytes({ try Publication($0) }) {
                    _ = state.buffer.add(publication)
                }
            }
            state.underWay = []
        }
        bell.ring()
    }

    func step(_ machine: inout SubscriptionMachine) -> SubscriptionMachine.Step {
        state.withLock { state in
            let head = state.buffer.head
            return machine.step(head: head) { state.buffer.take() }
        }
    }
}

/// One life of a program: when it is over, the log neither takes nor tells it anything.
final class Life: Sendable {
    private let over = Mutex(false)

    static let ended = StoreError.failed(StoreFailure(code: "killed", message: "killed", isRetriable: false))

    var isOver: Bool { over.withLock { $0 } }

    func end() { over.withLock { $0 = true } }

    func check() throws(StoreError) { if isOver { throw Self.ended } }
}

/// The log as a program has it that may be killed at any append.
struct KillableStore: EventStore {
    let log: SimulatedLog
    let life: Life

    func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try life.check()
        return try await log.store.openSession(producer)
    }

    func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        try life.check()
        let fate = log.fate()
        if fate == .diesBefore {
            life.end()
            throw Life.ended
        }
        let receipt = try await log.append(request)
        switch fate {
        case .diesAfter:
            life.end()
            throw Life.ended
        case .unanswered:
            throw .failed(StoreFailure(code: StoreFailure.logUnreachable, message: "no answer", isRetriable: true))
        default: return receipt
        }
    }

    func head() async throws(StoreError) -> Position {
        try life.check()
        return try await log.store.head()
    }

    func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError) -> ReadPage {
        try life.check()
        // A reader may answer with fewer than it was asked for.
        return try await log.store.read(after: position, limit: min(limit, log.pick(1...40)), types: types)
    }

    func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError)
        -> [RecordedEvent]
    {
        try life.check()
        return try await log.store.read(stream: stream, after: version, limit: limit)
    }

    func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        try life.check()
        return try await log.store.streams(prefix: prefix, after: name, limit: limit)
    }

    func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        try life.check()
        return try await log.store.session(of: producer)
    }
}

extension KillableStore: EventSubscribing {
    func subscribe(after position: Position, types: Set<EventType>?) -> AsyncThrowingStream<
        SubscriptionBatch, any Error
    > {
        let follower = Follower(store: self, after: position, types: types)
        return AsyncThrowingStream(unfolding: { try await follower.next() })
    }
}

/// A subscriber's side of the wire.
private actor Follower {
    private let store: KillableStore
    private let wire: SimulatedWire
    private var machine: SubscriptionMachine

    init(store: KillableStore, after position: Position, types: Set<EventType>?) {
        self.store = store
        wire = store.log.connect()
        machine = SubscriptionMachine(after: position, types: types, batchEvents: 8)
    }

    func next() async throws -> SubscriptionBatch? {
        while !Task.isCancelled {
            try store.life.check()
            switch wire.step(&machine) {
            case .deliver(let batch): return batch
            case .read(let position):
                let page = try await store.read(after: position, limit: 40, types: machine.types)
                if let batch = try machine.received(page) { return batch }
            case .wait: await wire.bell.wait()
            }
        }
        store.log.disconnect(wire)
        return nil
    }
}
