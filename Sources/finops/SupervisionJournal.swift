import EventLog
import FinOps
import FoundationEssentials
import Messaging
import Runtime
import Synchronization

/// Writes into the log when stages became ready and ended, which is what uptime is measured by. Facts wait until the log,
/// one of the stages itself, takes them.
actor SupervisionJournal {
    private static let producer: ProducerName = "supervisor"
    private static let settleLimit = Duration.seconds(1)
    private static let pendingFacts = 10_000

    private let directory: StateDirectory
    private let facts: AsyncStream<SupervisionFact>
    private nonisolated let continuation: AsyncStream<SupervisionFact>.Continuation
    private nonisolated let pending = Mutex(0)
    private var connection: RemoteEventStore?
    private var session: ProducerSession?
    private var sequence: UInt64 = 0
    private var isEnded = false

    init(directory: StateDirectory) {
        self.directory = directory
        (facts, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.pendingFacts))
    }

    nonisolated func add(_ fact: SupervisionFact) {
        pending.withLock { $0 += 1 }
        continuation.yield(fact)
    }

    /// A supervisor that was killed left its processes on the board; they ended with it.
    func settle(_ board: ProcessBoard?) {
        guard let board else { return }
        for entry in board.entries {
            guard let pid = entry.pid else { continue }
            add(
                SupervisionFact(
                    process: entry.name, pid: pid, what: .exited(outcome: "supervisor gone", expected: false),
                    occurred: board.asOf))
        }
    }

    /// Writes facts as they come, until `end()`.
    func keep() async {
        for await fact in facts {
            await write(fact)
            pending.withLock { $0 -= 1 }
        }
    }

    /// Returns when everything is in the log, or after a second.
    nonisolated func settled() async {
        let deadline = ContinuousClock.now + Self.settleLimit
        while pending.withLock({ $0 > 0 }), ContinuousClock.now < deadline {
            // Once in the life of `finops up`, at its end.
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
        }
    }

    /// Whatever still waits is given up: the log is gone.
    func end() {
        isEnded = true
        continuation.finish()
        connection?.close()
    }

    private func write(_ fact: SupervisionFact) async {
        while !isEnded {
            do {
                try await append(fact)
                return
            } catch {
                session = nil
                Output.message("supervisor: cannot record that \(fact.process) \(fact.verb): \(error)")
                // Not refused but out of reach: the log will be back, because we start it again.
                guard case StoreError.failed(let failure) = error, failure.isRetriable else { return }
            }
        }
    }

    /// A connection of its own for each fact: they are rare, and an idle connection costs threads.
    private func append(_ fact: SupervisionFact) async throws {
        let store = RemoteEventStore(RemoteLogOptions(endpoints: try directory.endpoints()))
        connection = store
        defer {
            store.close()
            connection = nil
        }
        let session: ProducerSession
        if let open = self.session {
            session = open
        } else {
            session = try await store.openSession(Self.producer)
            sequence = session.lastSequence
            self.session = session
        }
        var random = SystemRandomNumberGenerator()
        let event = fact.event.newEvent(id: .v7(at: fact.occurred, using: &random), occurred: fact.occurred)
        sequence += 1
        _ = try await store.append(
            AppendRequest(
                session: session, sequence: sequence, [StreamAppend(StreamName("stage-\(fact.process)"), [event])]))
    }
}

extension SupervisionFact {
    fileprivate var verb: String { if case .ready = what { "became ready" } else { "ended" } }

    fileprivate var event: FinOpsEvent {
        switch what {
        case .ready:
            var message = WireStageReady()
            message.stage = process
            message.pid = pid
            return .stageReady(message)
        case .exited(let outcome, let expected):
            var message = WireStageExited()
            message.stage = process
            message.pid = pid
            message.outcome = outcome
            message.expected = expected
            return .stageExited(message)
        }
    }
}
