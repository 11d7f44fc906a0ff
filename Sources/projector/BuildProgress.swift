import EventLog
import Projections
import Runtime
import Synchronization

/// Tells on stderr how a long build is getting on: rate and time left, once a second after the first two.
final class BuildProgress: Sendable {
    private struct State {
        var lastTold: Timestamp
        var end = Position.start
    }

    private let started = wallTime()
    private let quiet: Bool
    private let state: Mutex<State>

    init(quiet: Bool) {
        self.quiet = quiet
        state = Mutex(State(lastTold: started.advanced(bySeconds: 1)))
    }

    var seconds: Double { Double(wallTime().microseconds - started.microseconds) / 1_000_000 }

    func tell(_ progress: ProjectionBuild.Progress) {
        let now = wallTime()
        let isDue = state.withLock { state in
            state.end = progress.end
            guard now.microseconds - state.lastTold.microseconds >= 1_000_000 else { return false }
            state.lastTold = now
            return true
        }
        guard isDue, !quiet else { return }
        let rate = Double(progress.position.value) / max(seconds, 0.001)
        let left = Double(progress.end.value - min(progress.position.value, progress.end.value)) / max(rate, 1)
        Output.message(
            "\(progress.position) of \(progress.end) events · \(Int(rate)) a second · \(Int(left.rounded(.up))) s left")
    }
}
