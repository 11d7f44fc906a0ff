import EventLog
import Glibc

/// The right to write one log: an flock on its lock file, released when the process ends, however it ends.
final class LogLock {
    private let descriptor: Int32

    /// - Throws: `log-locked` if another process writes, `log-lock` if the file cannot be opened.
    init(path: String) throws(StoreFailure) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreFailure(
                code: "log-lock", message: "could not open \(path): \(errnoText())", isRetriable: false)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            close(descriptor)
            guard reason == EWOULDBLOCK else {
                throw StoreFailure(
                    code: "log-lock", message: "could not lock \(path): \(errnoText(reason))", isRetriable: false)
            }
            throw StoreFailure(
                code: "log-locked", message: "another process already writes this log (it holds \(path))",
                isRetriable: true)
        }
    }

    deinit { close(descriptor) }

    /// Whether some process writes the log now.
    static func isHeld(path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }
}

func errnoText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
