import EventLog
import TestSupport
import Testing

@testable import Messaging

/// The promise "in order, no gap, no repeat" against a wire that drops, repeats and reorders, with restarts on both sides.
@Suite struct SubscriptionSimulationTests {
    @Test(arguments: 0..<600) func everySeedDeliversEveryEventOnceInOrder(_ seed: UInt64) throws {
        var simulation = Simulation(seed: seed)
        try simulation.run()
        let expected = simulation.log.filter { simulation.types?.contains($0.type) ?? true }.map(\.position)
        #expect(simulation.delivered == expected, "seed \(seed)")
        #expect(simulation.checkpoint == simulation.head, "seed \(seed)")
    }
}

private struct Simulation {
    private var random: SeededGenerator
    private(set) var log: [RecordedEvent] = []
    private(set) var delivered: [Position] = []
    private(set) var checkpoint = Position.start
    let types: Set<EventType>?
    private var wire: [[UInt8]] = []
    private var buffer = CommitBuffer(limitBytes: 4_000)
    private var machine: SubscriptionMachine
    private let loss: Int

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        types = Bool.random(using: &random) ? nil : ["usage.recorded"]
        loss = Int.random(in: 0...60, using: &random)
        machine = SubscriptionMachine(after: .start, types: types, batchEvents: 8)
    }

    var head: Position { Position(UInt64(log.count)) }

    mutating func run() throws {
        for _ in 0..<300 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<35: commit()
            case 35..<42: send(Publication.heartbeatFrame(head: head))
            case 42..<70: arrive()
            case 70..<97: try subscriberTurn()
            case 97: restartSubscriber()
            default: wire = []  // the server restarted: what was under way is gone
            }
        }
        // The wire is quiet from here on, but for the heartbeat that is never lost for ever.
        while !wire.isEmpty { arrive() }
        try deliver(Publication.heartbeatFrame(head: head))
        for _ in 0..<10_000 where try subscriberTurn() {}
    }

    private mutating func commit() {
        var bytes: [UInt8] = []
        let first = head.next
        for _ in 0..<Int.random(in: 1...9, using: &random) {
            let event = RecordedEvent(
                position: head.next, stream: "s", version: StreamVersion(head.next.value),
                recorded: Timestamp(seconds: 1), producer: "p", producerSequence: 1,
                event: numbered(log.count, type: Bool.random(using: &random) ? "usage.recorded" : "bill.recorded"))
            log.append(event)
            EventCodec.encode(event, into: &bytes)
        }
        for frame in CommitFrames(bytes, first: first) { send(frame) }
    }

    private mutating func send(_ frame: [UInt8]) {
        if Int.random(in: 0..<100, using: &random) < loss { return }
        let damaged = Int.random(in: 0..<20, using: &random) == 0 ? frame.cutInHalf : frame
        wire.append(damaged)
        if Int.random(in: 0..<10, using: &random) == 0 { wire.append(damaged) }
    }

    private mutating func arrive() {
        guard !wire.isEmpty else { return }
        let next = Int.random(in: 0..<4, using: &random) == 0 ? wire.indices.randomElement(using: &random)! : 0
        try? deliver(wire.remove(at: next))  // a damaged frame is dropped, as the listener does
    }

    private mutating func deliver(_ frame: [UInt8]) throws {
        _ = buffer.add(try frame.withUnsafeBytes { try Publication($0) })
    }

    /// - Returns: whether there may be more to do.
    @discardableResult
    private mutating func subscriberTurn() throws -> Bool {
        var buffer = buffer
        let step = machine.step(head: buffer.head) { buffer.take() }
        self.buffer = buffer
        switch step {
        case .deliver(let batch): accept(batch)
        case .read(let position):
            let page = read(after: position)
            if let batch = try machine.received(page) { accept(batch) }
        case .wait: return false
        }
        return true
    }

    /// A reader that answers with pages of any size.
    private mutating func read(after position: Position) -> ReadPage {
        let limit = Int.random(in: 1...12, using: &random)
        let seen = log.dropFirst(Int(position.value)).prefix(limit)
        return ReadPage(
            events: seen.filter { types?.contains($0.type) ?? true }, scannedThrough: seen.last?.position ?? position,
            head: head)
    }

    private mutating func accept(_ batch: SubscriptionBatch) {
        delivered += batch.events.map(\.position)
        checkpoint = batch.scannedThrough
    }

    private mutating func restartSubscriber() {
        machine = SubscriptionMachine(after: checkpoint, types: types, batchEvents: 8)
        buffer = CommitBuffer(limitBytes: 4_000)
    }
}

extension [UInt8] {
    fileprivate var cutInHalf: [UInt8] { Array(prefix(count / 2)) }
}
