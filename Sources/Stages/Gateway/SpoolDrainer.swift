package import EventLog
import FinOps
package import Logging
package import Spool

/// Takes a spool's records into the log, each exactly once: the sequence of a batch is the number of its last record, counted
/// on from where the spool began, and after any crash the log says how far it came.
package actor SpoolDrainer {
    /// How far it is; for metrics.
    package struct Progress: Hashable, Sendable {
        /// Everything up to this record of the spool is in the log, or put aside; nil until the log was asked.
        package var delivered: UInt64?
        /// Records that are not in the log yet. Until the log was asked, what stands in the spool's files.
        package var waiting: UInt64
        /// When the oldest of them happened; nil if none waits.
        package var oldest: Timestamp?
        /// Of the spool's files.
        package var bytes: Int
        /// Records that the log refused for good, since the program started.
        package var refused: Int
        /// Why it does not go on at the moment.
        package var obstacle: String?
    }

    /// Of one append: as many as make the log's commit a small part of it, and no more, for while a gateway catches up it holds
    /// them several times over, here and on their way to the log and back.
    private static let batchRecords = 256
    private static let batchBytes = 512 << 10
    private static let longestPause: Duration = .seconds(2)
    /// So many at a time are more than a quiet gateway has.
    private static let busyRecords = 32
    private static let busyPause: Duration = .milliseconds(5)

    /// `gateway-<name>`: the producer, and the stage in whose name failures are told.
    package let producer: ProducerName
    private let spool: Spool
    private let store: any EventStore
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private let pause: @Sendable (Duration) async throws -> Void
    private let onProgress: @Sendable (Progress) -> Void

    private var session: ProducerSession?
    /// What makes a sequence of a record's number.
    private var base: UInt64 = 0
    private var delivered: UInt64?
    private var oldest: Timestamp?
    private var refused = 0
    private var obstacle: String?

    /// - Parameters:
    ///   - gateway: its name.
    ///   - now: the pipeline's clock.
    ///   - pause: waits in real time.
    package init(
        gateway: String, spool: Spool, store: any EventStore, logger: Logger, now: @escaping @Sendable () -> Timestamp,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onProgress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        producer = .gateway(gateway)
        self.spool = spool
        self.store = store
        self.logger = logger
        self.now = now
        self.pause = pause
        self.onProgress = onProgress
    }

    /// Delivers until its task is cancelled. A log that is away is waited for.
    /// - Throws: `StoreError` when another process delivers under this name, `SpoolFailure` when the spool is damaged.
    package func run() async throws {
        try await begin()
        for await _ in spool.durableNumbers() {
            // Where much comes, waiting a little makes fewer and larger appends, each of which costs the log, the gateway and
            // everybody who follows the log the same, however much is in it. Not for long: calls wait for a processor
            // while a large batch is taken in.
            if try await drain() >= Self.busyRecords { try await pause(Self.busyPause) }
        }
        try Task.checkCancellation()
    }

    /// Delivers what is on disk and returns.
    /// - Throws: as `run`.
    package func drainOnce() async throws {
        try await begin()
        _ = try await drain()
    }

    private func begin() async throws {
        if delivered == nil { oldest = try await spool.read(after: 0, limit: 1).first?.event.occurred }
        let producer = producer
        let session = try await patiently { [store] () async throws(StoreError) in
            try await store.openSession(producer)
        }
        self.session = session
        let anchored = try spool.anchor(lastSequence: session.lastSequence)
        if anchored.isBehind {
            logger.error(
                "the log holds more of this gateway than its spool ever kept: the spool was replaced or its disk lost writes",
                metadata: ["spool": "\(spool.directory)", "sequence": "\(session.lastSequence)"])
        }
        base = anchored.base
        delivered = session.lastSequence > base ? session.lastSequence - base : 0
        oldest = nil
        release()
        report()
    }

    /// - Returns: how many records it has delivered.
    private func drain() async throws -> Int {
        var count = 0
        while !Task.isCancelled {
            let records = try await spool.read(
                after: delivered ?? 0, limit: Self.batchRecords, bytes: Self.batchBytes)
            oldest = records.first?.event.occurred
            report()
            guard !records.isEmpty else { break }
            try await deliver(records[...])
            release()
            count += records.count
        }
        return count
    }

    /// Delivers a batch; one that the log refuses is halved until what it refuses stands alone.
    private func deliver(_ records: ArraySlice<SpoolRecord>) async throws {
        guard let last = records.last else { return }
        do {
            try await append(Self.byStream(records), last.number)
        } catch StoreError.refused(let refusal) where refusal.concernsContent {
            guard records.count > 1 else { return try await refuse(last, refusal) }
            let middle = records.startIndex + records.count / 2
            try await deliver(records[..<middle])
            return try await deliver(records[middle...])
        }
        delivered = last.number
    }

    private func append(_ streams: [StreamAppend], _ number: UInt64) async throws {
        guard let session else { preconditionFailure("the session is opened before anything is delivered") }
        let request = AppendRequest(session: session, sequence: base + number, streams)
        _ = try await patiently { [store] () async throws(StoreError) in try await store.append(request) }
    }

    /// Puts a record aside, and tells the log so in its place.
    private func refuse(_ record: SpoolRecord, _ refusal: AppendRefusal) async throws {
        let file = try spool.setAside(record)
        logger.error(
            "the log refuses a record for good",
            metadata: ["record": "\(record.number)", "file": "\(file)", "reason": "\(refusal)"])
        var failed = WireProcessingFailed()
        failed.stage = producer.text
        failed.position = record.number
        failed.stream = record.stream.text
        failed.type = record.event.type.text
        failed.attempts = 1
        failed.error = "\(refusal); record \(record.number) of the spool is kept in \(file)"
        let stream = StreamName.failures(stage: producer.text)
        let event = FinOpsEvent.processingFailed(failed).newEvent(in: stream, occurred: now())
        try await append([StreamAppend(stream, [event])], record.number)
        delivered = record.number
        refused += 1
    }

    /// In the order in which the streams appear, each stream's events in their own.
    private static func byStream(_ records: ArraySlice<SpoolRecord>) -> [StreamAppend] {
        var appends: [StreamAppend] = []
        var places: [StreamName: Int] = [:]
        for record in records {
            if let place = places[record.stream] {
                appends[place].events.append(record.event)
            } else {
                places[record.stream] = appends.count
                appends.append(StreamAppend(record.stream, [record.event]))
            }
        }
        return appends
    }

    private func release() {
        guard let delivered else { return }
        do throws(SpoolFailure) {
            try spool.release(through: delivered)
        } catch {
            logger.warning("delivered records stay on disk", metadata: ["error": "\(error)"])
        }
    }

    /// Asks until there is an answer. What may have been written without one is asked for again in the same words, and the
    /// log knows a repeat.
    private func patiently<Value: Sendable>(
        _ ask: @Sendable () async throws(StoreError) -> Value
    ) async throws -> Value {
        var wait: Duration = .milliseconds(50)
        while true {
            do throws(StoreError) {
                let value = try await ask()
                obstacle = nil
                return value
            } catch {
                guard error.isWorthWaitingFor else { throw error }
                try Task.checkCancellation()
                logger.warning("calls wait in the spool", metadata: ["error": "\(error)"])
                obstacle = "\(error)"
                report()
            }
            try await pause(wait)
            wait = min(wait * 2, Self.longestPause)
        }
    }

    private func report() {
        let status = spool.status
        onProgress(
            Progress(
                delivered: delivered,
                waiting: delivered.map { status.written - min($0, status.written) } ?? status.waiting, oldest: oldest,
                bytes: status.bytes, refused: refused, obstacle: obstacle))
    }
}

extension AppendRefusal {
    /// Whether the log would take the request without one of its events.
    fileprivate var concernsContent: Bool {
        switch self {
        case .malformed, .unknownType, .tooLarge: true
        default: false
        }
    }
}

extension StoreError {
    /// A log that is away, busy or full, or that somebody still has to let this gateway write to.
    fileprivate var isWorthWaitingFor: Bool {
        switch self {
        case .refused(.notAllowed): true
        case .refused(let refusal): refusal.isRetriable
        case .failed(let failure): failure.isRetriable
        }
    }
}
