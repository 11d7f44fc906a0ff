import Runtime
import Synchronization

/// Says on stderr how far a long collection is: nothing before two seconds, then at most once a second.
final class ProgressMeter: Sendable {
    private let subject: String
    private let isShown: Bool
    private let started = ContinuousClock.now
    private let lastShown = Mutex(ContinuousClock.now + .seconds(1))

    init(subject: String, isShown: Bool) {
        self.subject = subject
        self.isShown = isShown
    }

    func show(_ kept: Int, of total: Int) {
        let now = ContinuousClock.now
        let isDue = lastShown.withLock { last in
            guard now - last >= .seconds(1) else { return false }
            last = now
            return true
        }
        guard isShown, isDue, kept < total else { return }
        let seconds = (now - started) / .seconds(1)
        let rest = Int(seconds / Double(kept) * Double(total - kept))
        let rate = Int(Double(kept) / seconds * 10)
        Output.message("\(subject): \(kept) of \(total) UTC days, \(rate / 10).\(rate % 10) a second, \(rest) s left")
    }
}
