import Glibc

/// Wakes a thread that syncs or gathers.
///
/// What: a POSIX semaphore on the heap.
/// Why safe: `sem_post` and `sem_wait` are made for any number of threads; it is destroyed when nobody refers to it.
/// Why needed: a pointer is not Sendable, and a `Mutex` cannot be waited on.
final class SyncBell: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func ring() { sem_post(semaphore) }

    func wait() { while sem_wait(semaphore) != 0, errno == EINTR {} }
}

/// A thread of its own for what blocks.
enum SpoolThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Throws: when the system has no thread left.
    static func start(_ path: String, _ run: @escaping @Sendable () -> Void) throws(SpoolFailure) {
        let body = Unmanaged.passRetained(Body(run))
        // Signals are for the main thread: a new thread inherits this mask.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else {
            body.release()
            throw .system("start a thread for it", path, errno: result)
        }
        pthread_detach(thread)
    }
}
