import CLoopWait
import CRuntime
import Glibc
import Logging
import NIOCore
import Synchronization

/// Keeps each event loop on a processor of its own, where there are as many of both, and lets it wait awake there for what is
/// about to come.
///
/// Left to itself, the kernel wakes a loop beside whoever sent it something, and often two of them wait for one processor
/// while another is idle: decision 14 says what that cost. A thread that is started by a loop may only run where the loop
/// does, so all others of the process, in which there is one server, are freed again, once a second.
final class LoopPlacement: Sendable {
    private static let interval = TimeAmount.seconds(1)
    /// Sleeping and being woken takes longer, where processors are virtual ones.
    private static let awake = TimeAmount.microseconds(100)

    private struct State {
        /// Numbers of the loops' threads.
        var kept: [Int32] = []
        /// Whether the last attempt failed: the next failure is then no news.
        var hasFailed = false
    }

    private let logger: Logger
    private let state = Mutex(State())

    private init(_ logger: Logger) { self.logger = logger }

    /// Begins, and ends with the loops. What the system does not allow is said and left.
    static func begin(_ loops: [any EventLoop], logger: Logger) {
        let placement = LoopPlacement(logger)
        for (index, loop) in loops.enumerated() { loop.execute { placement.keep(index, of: loops.count) } }
        loops.first?.scheduleRepeatedTask(initialDelay: interval, delay: interval) { task in
            if !placement.freeOthers() { task.cancel() }
        }
    }

    private func keep(_ index: Int, of count: Int) {
        state.withLock { state in
            let thread = runtime_keep_on_processor(Int32(index), Int32(count))
            if thread < 0 { say("an event loop gets no processor of its own", errno, &state) }
            if thread > 0 {
                state.kept.append(thread)
                loop_wait_awake(Self.awake.nanoseconds)
            }
        }
    }

    /// - Returns: whether there is anything to free them from.
    private func freeOthers() -> Bool {
        state.withLock { state in
            if state.kept.isEmpty { return false }
            if runtime_free_other_threads(state.kept, Int32(state.kept.count)) != 0 {
                say("threads stay on an event loop's processor", errno, &state)
            } else {
                state.hasFailed = false
            }
            return true
        }
    }

    private func say(_ what: String, _ reason: Int32, _ state: inout State) {
        if !state.hasFailed { logger.notice("\(what)", metadata: ["errno": "\(reason)"]) }
        state.hasFailed = true
    }
}
