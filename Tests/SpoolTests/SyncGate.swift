import Glibc
import Spool
import Synchronization

/// A disk whose syncs wait, or fail, until a test says otherwise.
final class SyncGate: Sendable {
    private struct State {
        var isOpen: Bool
        var isFailing: Bool
        /// Syncs that have begun.
        var waiting = 0
    }

    private let state: Mutex<State>

    init(failing: Bool = false) { state = Mutex(State(isOpen: failing, isFailing: failing)) }

    var waiting: Int { state.withLock { $0.waiting } }

    func open() { state.withLock { $0.isOpen = true } }

    /// Syncs that begin from now on fail.
    func fail() { state.withLock { $0.isFailing = true } }

    func heal() { state.withLock { $0.isFailing = false } }

    func sync(_ descriptor: Int32) -> Int32 {
        let isFailing = state.withLock { state in
            state.waiting += 1
            return state.isFailing
        }
        while !state.withLock({ $0.isOpen }) { usleep(200) }
        if isFailing {
            errno = EIO
            return -1
        }
        return fdatasync(descriptor)
    }
}

extension Spool {
    /// Waits until everything is on disk.
    func settled() async throws {
        for await number in durableNumbers() where number == status.written { return }
        throw NotSettled()
    }
}

/// The spool was closed, or the test's time is over, before everything was on disk.
struct NotSettled: Error {}

/// Waits for a condition; the time limit of the suite ends it.
func eventually(_ holds: () async throws -> Bool) async throws {
    while !(try await holds()) { try await Task.sleep(for: .milliseconds(1)) }
}
