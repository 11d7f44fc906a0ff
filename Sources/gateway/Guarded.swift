import Glibc

/// A value under a lock that is free for whoever comes next.
///
/// What: a POSIX mutex and the value beside it, on the heap.
/// Why safe: the value is touched by `withLock` alone, under the mutex, and both are given back when nobody refers to this.
/// Why needed: `Mutex` hands itself on to the thread that has waited longest (FUTEX_LOCK_PI). Until that one gets a processor
/// nobody has the lock's use, and where event loops share processors with others, each waits for the other's turn.
final class Guarded<Value: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        pthread_mutex_init(mutex, &attributes)
        pthread_mutexattr_destroy(&attributes)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Answer, Failure: Error>(_ body: (inout Value) throws(Failure) -> Answer) throws(Failure) -> Answer {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
