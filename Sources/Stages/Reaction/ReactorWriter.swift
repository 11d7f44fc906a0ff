import EventLog
import Logging

/// A reactor's two producers: its own, whose sequence is the checkpoint, and the clock's, for what no position asks for. A
/// request that may succeed later is repeated as it is, so that it is written once.
actor ReactorWriter {
    private let stage: String
    private let store: any EventStore
    private let pause: @Sendable (Duration) async throws -> Void
    private let logger: Logger
    private var reactor: ProducerSession?
    private var clock: ProducerSession?
    private var reactorSequence: UInt64 = 0
    private var clockSequence: UInt64 = 0

    private let attempts: Int

    private static let longestPause: Duration = .seconds(5)

    /// - Parameters:
    ///   - stage: the reactor's producer; the clock's is `<stage>-clock`.
    ///   - attempts: then the caller is told: a supervisor starts it again, a one-shot ends with "try again".
    init(
        stage: String, store: any EventStore, attempts: Int = 60,
        pause: @escaping @Sendable (Duration) async throws -> Void, logger: Logger
    ) {
        self.stage = stage
        self.attempts = attempts
        self.store = store
        self.pause = pause
        self.logger = logger
    }

    /// - Returns: the checkpoint.
    func open() async throws -> Position {
        let reactor = try await store.openSession(ProducerName(stage))
        let clock = try await store.openSession(ProducerName("\(stage)-clock"))
        (self.reactor, self.clock) = (reactor, clock)
        (reactorSequence, clockSequence) = (reactor.lastSequence, clock.lastSequence)
        return Position(reactor.lastSequence)
    }

    /// Appends what no position of the log asks for.
    func append(_ streams: [StreamAppend]) async throws {
        guard let clock else { preconditionFailure("sessions are opened before anything is appended") }
        try await send(AppendRequest(session: clock, sequence: clockSequence + 1, streams))
        clockSequence += 1
    }

    /// Appends, possibly nothing, and moves the checkpoint with it.
    func append(_ streams: [StreamAppend], checkpoint: Position) async throws {
        guard checkpoint.value > reactorSequence else {
            if !streams.isEmpty { try await append(streams) }
            return
        }
        guard let reactor else { preconditionFailure("sessions are opened before anything is appended") }
        try await send(AppendRequest(session: reactor, sequence: checkpoint.value, streams))
        reactorSequence = checkpoint.value
    }

    private func send(_ request: AppendRequest) async throws {
        var wait: Duration = .milliseconds(50)
        for attempt in 1... {
            do {
                _ = try await store.append(request)
                return
            } catch {
                guard error.isRetriable, attempt < attempts else { throw error }
                logger.warning("append will be repeated", metadata: ["error": "\(error)", "attempt": "\(attempt)"])
            }
            try await pause(wait)
            wait = min(wait * 2, Self.longestPause)
        }
    }
}

extension StoreError {
    fileprivate var isRetriable: Bool {
        switch self {
        case .refused(let refusal): refusal.isRetriable
        case .failed(let failure): failure.isRetriable
        }
    }
}
