import Glibc
import Spool
import Synchronization
import Testing

/// A disk whose syncs wait, or fail, until a test says otherwise.
final class SyncGate: Sendable {
    private struct State {
        var isOpen: Bool
        var isFailing: Bool
        var waiting = 0
    }

    private let state: Mutex<State>

    init(failing: Bool = false) { state = Mutex(State(isOpen: failing, isFailing: failing)) }

    var waiting: Int { state.withLock { $0.waiting } }

    func open() { state.withLock { $0.isOpen = true } }

    func heal() { state.withLock { $0.isFailing = false } }

    func sync(_ descriptor: Int32) -> Int32 {
        state.withLock { $0.waiting += 1 }
        while !state.withLock({ $0.isOpen }) { usleep(200) }
        if state.withLock({ $0.isFailing }) {
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
        try Test.cancel("the spool was closed")
    }
}

/// Waits for a condition; the test's own time limit ends it.
func eventually(_ holds: () async throws -> Bool) async throws {
    while !(try await holds()) { try await Task.sleep(for: .milliseconds(1)) }
}
