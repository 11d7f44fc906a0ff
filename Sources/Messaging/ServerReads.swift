import EventLog
import Synchronization
import ZeroMQ

/// Answers reads beside the server's thread, so that a slow reader never stalls an append. Both sides are bounded.
final class ServerReads: Sendable {
    struct Job: Sendable {
        var peer: ServerDoor.Peer
        var request: ReadRequest
    }

    struct Answer: Sendable {
        var peer: ServerDoor.Peer
        var frame: [UInt8]
    }

    private let reader: any EventReader
    private let jobs: AsyncStream<Job>
    private let queue: AsyncStream<Job>.Continuation
    private let answers = Mutex<[Answer]>([])
    /// Set when there are answers to send.
    let wake: WakeSignal

    init(_ reader: any EventReader, queued: Int, wake: WakeSignal) {
        self.reader = reader
        self.wake = wake
        (jobs, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(queued))
    }

    /// - Returns: false when too many reads wait.
    func enqueue(_ job: Job) -> Bool {
        if case .enqueued = queue.yield(job) { return true }
        return false
    }

    func finish() { queue.finish() }

    func takeAnswers() -> [Answer] {
        answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
    }

    /// Works until `finish`.
    func work() async {
        for await job in jobs {
            let reply: LogReply
            do throws(StoreError) {
                reply = try await read(job.request)
            } catch {
                reply = LogReply(error)
            }
            let frame = reply.encoded(correlation: job.peer.correlation)
            answers.withLock { $0.append(Answer(peer: job.peer, frame: frame)) }
            wake.signal()
        }
    }

    private func read(_ request: ReadRequest) async throws(StoreError) -> LogReply {
        switch request {
        case .sessionOf(let producer): .session(try await reader.session(of: producer))
        case .events(let position, let limit, let types):
            .page(try await reader.read(after: position, limit: limit, types: types))
        case .stream(let stream, let version, let limit):
            .events(try await reader.read(stream: stream, after: version, limit: limit))
        case .streams(let prefix, let name, let limit):
            .summaries(try await reader.streams(prefix: prefix, after: name, limit: limit))
        }
    }
}
