import EventLog
import Runtime
import Synchronization

/// Tells on stderr how a long replay is getting on: after the first two seconds, once a second.
final class ReplayProgress: Sendable {
    private let started = wallTime()
    private let quiet: Bool
    private let lastTold: Mutex<Timestamp>

    init(quiet: Bool) {
        self.quiet = quiet
        lastTold = Mutex(started.advanced(bySeconds: 1))
    }

    func tell(_ done: Int, of all: Int) {
        let now = wallTime()
        let isDue = lastTold.withLock { last in
            guard now.microseconds - last.microseconds >= 1_000_000 else { return false }
            last = now
            return true
        }
        guard isDue, !quiet else { return }
        let seconds = Double(now.microseconds - started.microseconds) / 1_000_000
        let rate = Double(done) / seconds
        Output.message(
            "\(done) of \(all) events · \(Int(rate)) a second · \(Int((Double(all - done) / rate).rounded(.up))) s left"
        )
    }
}
