import EventLog
import Logging

/// The notifier's two producers: the reactor's, whose sequence is the checkpoint, and the clock's, for what time and
/// deliveries bring about. What may succeed later is repeated as it is, for as long as it takes: an outcome that is not
/// written down would be delivered again.
actor NotifierWriter {
    private let store: any EventStore
    private let pause: @Sendable (Duration) async throws -> Void
    private let logger: Logger
    private var reactor: ProducerSession?
    private var clock: ProducerSession?
    private var reactorSequence: UInt64 = 0
    private var clockSequence: UInt64 = 0

    private static let longestPause: Duration = .seconds(5)

    init(store: any EventStore, pause: @escaping @Sendable (Duration) async throws -> Void, logger: Logger) {
        self.store = store
        self.pause = pause
        self.logger = logger
    }

    /// - Returns: the checkpoint.
    func open() async throws -> Position {
        let reactor = try await store.openSession(ProducerName(Notifier.stage))
        let clock = try await store.openSession(ProducerName("\(Notifier.stage)-clock"))
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
        while true {
            do {
                _ = try await store.append(request)
                return
            } catch {
                guard error.isRetriable else { throw error }
                logger.warning("append will be repeated", metadata: ["error": "\(error)"])
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
