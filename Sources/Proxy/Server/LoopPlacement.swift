import CRuntime
import Glibc
import Logging
import NIOCore
import Synchronization

/// Keeps each event loop on a processor of its own, where there are as many of both.
///
/// Left to itself, the kernel wakes a loop beside whoever sent it something, and often two of them wait for one processor
/// while another is idle: decision 14 says what that cost. A thread that is started by a loop may only run where the loop
/// does, so all others are freed again, once a second.
final class LoopPlacement: Sendable {
    private static let interval = TimeAmount.seconds(1)

    private let logger: Logger
    /// Numbers of the loops' threads.
    private let kept = Mutex<[Int32]>([])

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
        let thread = runtime_keep_on_processor(Int32(index), Int32(count))
        if thread > 0 { kept.withLock { $0.append(thread) } }
        if thread < 0 { logger.notice("event loops get no processor of their own", metadata: ["errno": "\(errno)"]) }
    }

    /// - Returns: whether there is anything to free them from.
    private func freeOthers() -> Bool {
        let kept = kept.withLock { $0 }
        guard !kept.isEmpty else { return false }
        if runtime_free_other_threads(kept, Int32(kept.count)) != 0 {
            logger.notice("threads stay on a loop's processor", metadata: ["errno": "\(errno)"])
        }
        return true
    }
}
