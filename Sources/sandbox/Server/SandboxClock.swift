import EventLog
import Foundation
import Runtime

/// The time that decides what the provider has published by now: the real one, a fixed one, or the scaled clock of a
/// running demo.
actor SandboxClock {
    enum Source: Sendable {
        case real
        case fixed(Int64)
        /// The clock of a state directory; the real time as long as there is none.
        case pipeline(StateDirectory)
    }

    private var source: Source

    init(_ source: Source) { self.source = source }

    func set(_ source: Source) { self.source = source }

    /// Unix seconds.
    var now: Int64 {
        switch source {
        case .real: return PipelineClock.real.now().seconds
        case .fixed(let time): return time
        case .pipeline(let directory):
            // A clock that cannot be read has not begun; `finops up` writes it anew, and says so if it cannot.
            return ((try? PipelineClock.load(from: directory)) ?? .real).now().seconds
        }
    }

    static func seconds(rfc3339 text: String) -> Int64? {
        // A text that is no time is the caller's refusal to word, so the parser's own reason is not kept.
        (try? Date(text, strategy: .iso8601)).map { Int64($0.timeIntervalSince1970) }
    }
}
