import EventLog
import FinOps
import Notices
import Synchronization
import TestSupport

@testable import Stages

/// The other side of a channel: it takes messages, refuses them, throttles, and sometimes does not say that it took one.
final class UncertainPost: Sendable {
    private struct State {
        var random: SeededGenerator
        var isReliable = false
        var accepted: [String: Set<String>] = [:]
        var underWay: Set<String> = []
        /// When which level was taken, by place and scope.
        var taken: [String: [UInt32: Timestamp]] = [:]
        var known: Set<String> = []
        var wrongs: [String] = []
    }

    private let state: Mutex<State>
    private let clock: VirtualClock

    init(seed: UInt64, clock: VirtualClock) {
        state = Mutex(State(random: SeededGenerator(seed: seed ^ 0xF00D)))
        self.clock = clock
    }

    /// What must not have happened.
    var wrongs: [String] { state.withLock { $0.wrongs } }

    func calm() { state.withLock { $0.isReliable = true } }

    func hasAccepted(_ notification: String, _ destination: String) -> Bool {
        state.withLock { $0.accepted[destination]?.contains(notification) ?? false }
    }

    private enum Reception { case takes, takesSilently, refuses, throttles, losesIt }

    func deliver(_ notice: Notice, isKnownAsDelivered: Bool) async -> DeliveryOutcome {
        let (reception, seconds) = begin(notice, isKnownAsDelivered: isKnownAsDelivered)
        // It takes a while, in which anything may happen; a cancelled delivery goes on all the same.
        if seconds > 0 { try? await clock.sleep(until: clock.now.advanced(bySeconds: seconds)) }
        return end(notice, reception)
    }

    private func begin(_ notice: Notice, isKnownAsDelivered: Bool) -> (Reception, Int64) {
        state.withLock { state in
            let place = notice.destination
            if isKnownAsDelivered { state.wrongs.append("\(notice.id) is sent to \(place) again") }
            if state.accepted[place]?.contains(notice.id) == true, !notice.mayRepeat {
                state.wrongs.append("\(notice.id) may repeat and does not say so")
            }
            if notice.facts.isEmpty { state.wrongs.append("\(notice.id) tells nothing") }
            if state.known.insert("\(place) \(notice.id)").inserted { lookForTooMany(notice, &state) }
            if !state.underWay.insert(place).inserted { state.wrongs.append("two messages at once to \(place)") }
            if state.isReliable { return (.takes, 0) }
            let receptions: [Reception] = [.takes, .takes, .takes, .takesSilently, .refuses, .throttles, .losesIt]
            let seconds = Int64.random(in: 0...3, using: &state.random)
            return (receptions.randomElement(using: &state.random) ?? .takes, seconds)
        }
    }

    /// Within an hour nothing is told of a scope that is not of a higher level.
    private func lookForTooMany(_ notice: Notice, _ state: inout State) {
        for (scope, level) in notice.levels {
            let before = state.taken["\(notice.destination) \(scope)", default: [:]].filter { $0.key >= level }.values
                .max()
            if let before, clock.now < before.advanced(bySeconds: 3_600) {
                state.wrongs.append(
                    "\(notice.id) tells \(notice.destination) of \(level) % of \(scope) within the hour")
            }
        }
    }

    private func end(_ notice: Notice, _ reception: Reception) -> DeliveryOutcome {
        state.withLock { state in
            state.underWay.remove(notice.destination)
            if reception == .takes || reception == .takesSilently {
                state.accepted[notice.destination, default: []].insert(notice.id)
                for (scope, level) in notice.levels {
                    state.taken["\(notice.destination) \(scope)", default: [:]][level] = clock.now
                }
            }
        }
        switch reception {
        case .takes: return .delivered(answer: "ok")
        case .takesSilently, .losesIt:
            return .failed(
                DeliveryFailure(code: "timed-out", message: "no answer", isUncertain: true, isRetriable: true))
        case .refuses: return .failed(DeliveryFailure(code: "unavailable", message: "503", isRetriable: true))
        case .throttles:
            return .failed(
                DeliveryFailure(code: "throttled", message: "429", isRetriable: true, retryAfterSeconds: 7))
        }
    }
}

extension Notice {
    /// The highest level that it tells of each scope.
    fileprivate var levels: [String: UInt32] {
        facts.reduce(into: [:]) { levels, fact in
            guard case .thresholdCrossed(let event) = fact.event else { return }
            levels["\(event.scope)/\(event.name)", default: 0] = max(
                levels["\(event.scope)/\(event.name)"] ?? 0, event.level)
        }
    }
}
