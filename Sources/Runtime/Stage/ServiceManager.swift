import FoundationEssentials
import Glibc

/// Tells the service manager (systemd, or `finops up`) how the program is, by datagrams to `$NOTIFY_SOCKET`; without one,
/// nothing happens.
package struct ServiceManager: Sendable {
    private let socketPath: String?
    /// How often the manager wants to hear from us; nil if it does not watch.
    package let watchdogInterval: Duration?

    /// - Parameter environment: `NOTIFY_SOCKET` and `WATCHDOG_USEC` are read from it.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.first == "/" || $0.first == "@" ? $0 : nil }
        let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
        let microseconds = isForUs ? environment["WATCHDOG_USEC"].flatMap { Int64($0) } : nil
        // Half of the limit, as sd_watchdog_enabled(3) advises.
        watchdogInterval = microseconds.flatMap { $0 > 0 ? .microseconds($0 / 2) : nil }
    }

    /// The stage takes up its work.
    package func ready() { notify("READY=1") }
    /// One line for people.
    package func status(_ text: String) { notify("STATUS=" + text.filter { $0 != "\n" && $0 != "\r\n" }) }
    /// The stage winds down.
    package func stopping() { notify("STOPPING=1") }
    /// For the watchdog.
    package func alive() { notify("WATCHDOG=1") }

    /// Best effort by nature: a manager that does not listen is no reason to stop working.
    private func notify(_ message: String) {
        guard let socketPath else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(message.utf8)
        _ = withUnixAddress(socketPath) {
            Int32(sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1))
        }
    }
}
