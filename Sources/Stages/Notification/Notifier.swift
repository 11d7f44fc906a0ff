package import EventLog
import FinOps
import Notices

/// Takes alerts to people: queues what is to be told in the outbox of each destination, and sees to it that it gets there.
/// Everything it knows is in the log: whenever it is killed, it goes on from there. A message of which nothing was heard is
/// sent again, and says so; one that the other side has acknowledged is not.
package actor Notifier {
    /// The producer's name in the log as well, under which it keeps its checkpoint.
    package static let stage = "notifier"

    /// What it reacts to.
    package static let types: Set<EventType> = Queueing.types.union(NotifierMemory.statementTypes)
        .union(SilenceWatch.types).union(ownTypes).union([retryType])
    /// An administrator's word that what was put aside can be read now.
    static let retryType: EventType = "processing.retried"
    /// What others write into outboxes.
    static let ownTypes: Set<EventType> = [
        "notification.queued", "notification.retried", "notification.skipped",
    ]

    private static let pageEvents = 5_000

    let reader: any EventReader
    let surroundings: Surroundings
    let writer: ReactorWriter
    let settings: Settings

    var memory: NotifierMemory
    var checkpoint: Position = .start
    var scanned: Position = .start
    var head: Position = .start

    private var turns = Turns()

    /// Destinations with a message on its way.
    var underWay: Set<String> = []
    /// Messages that the log knows to have started, for their sender to take along.
    var prepared: [String: DeliveryPlan] = [:]
    var bells: [String: Doorbell] = [:]
    var doors: [String: (channel: WireChannelSet, deliverer: any NoticeDelivering)] = [:]
    var delivered: [String: Int] = [:]
    var failed: [String: Int] = [:]
    var isSending = false
    private let (newDestinations, destinationFound) = AsyncStream.makeStream(of: String.self)

    /// - Parameters:
    ///   - store: where it appends.
    ///   - reader: where it reads; the store itself, or the log's file beside it.
    package init(
        store: any EventStore, reader: any EventReader, settings: Settings = Settings(), _ surroundings: Surroundings
    ) {
        self.reader = reader
        self.settings = settings
        self.surroundings = surroundings
        // For as long as it takes: an outcome that is not written down would be delivered again.
        writer = ReactorWriter(
            stage: Self.stage, store: store, attempts: .max, pause: surroundings.pause, logger: surroundings.logger)
        memory = NotifierMemory(settings)
    }

    // MARK: Running

    /// Reacts and delivers until its task is cancelled; a message that is on its way is waited for.
    /// - Throws: `StoreError` when the log refuses for good, `NotifierReplaced` when another notifier has taken over.
    package func run(_ subscriptions: any EventSubscribing) async throws {
        checkpoint = try await writer.open()
        scanned = checkpoint
        try await load(through: checkpoint)
        try await catchUp()
        isSending = true
        let batches = subscriptions.subscribe(after: scanned, types: Self.types)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                defer { self.destinationFound.finish() }
                for try await batch in batches { try await self.handle(batch) }
            }
            group.addTask {
                defer { self.destinationFound.finish() }
                try await self.watchTheClock()
            }
            announceDestinations()
            // Whichever ends first ends all: a subscription that is over, a failure, a cancelled run.
            for await destination in newDestinations {
                group.addTask {
                    defer { self.destinationFound.finish() }
                    try await self.send(destination)
                }
            }
            group.cancelAll()
        }
    }

    /// Delivers what waits for these destinations until its task is cancelled, and reacts to nothing.
    /// - Throws: as `run`.
    package func deliver(only destinations: [String]) async throws {
        _ = try await writer.open()
        try await load(through: try await reader.head())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for destination in destinations where memory.outboxes[destination] != nil {
                bells[destination] = Doorbell()
                group.addTask { try await self.send(destination) }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func load(through position: Position) async throws {
        var loaded = memory
        try await loaded.load(from: reader, through: position)
        memory = loaded
    }

    /// Up to the head, so that everything that is to be told is known before the first message leaves.
    private func catchUp() async throws {
        head = try await reader.head()
        report()
        repeat {
            let page = try await reader.read(after: scanned, limit: Self.pageEvents, types: Self.types)
            try await handle(
                SubscriptionBatch(events: page.events, scannedThrough: page.scannedThrough, head: page.head))
        } while scanned < head
    }

    func report(hasNews: Bool = true) {
        surroundings.onProgress(
            Progress(
                handled: scanned, head: max(head, scanned), outboxes: hasNews ? Array(memory.outboxes.values) : nil,
                delivered: delivered, failed: failed))
    }

    func announceDestinations() {
        guard isSending else { return }
        for destination in memory.outboxes.keys.sorted() where bells[destination] == nil {
            bells[destination] = Doorbell()
            destinationFound.yield(destination)
        }
    }

    /// What is decided and what is then written belong together: whoever does so has a turn.
    func takeTurn() async {
        if !turns.take() { await withCheckedContinuation { turns.wait($0) } }
    }

    func endTurn() { turns.end() }
}

/// Another notifier works on the same log: there must be one.
package struct NotifierReplaced: Error, Hashable, CustomStringConvertible {
    let stream: StreamName

    package var description: String {
        "\(stream) was written by another notifier, which has taken over: one of the two has to be stopped"
    }
}
