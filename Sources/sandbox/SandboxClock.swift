import Foundation

/// The time that decides what the provider has published by now: the real one, a fixed one, or the scaled clock of a
/// running demo.
actor SandboxClock {
    enum Source: Sendable {
        case real
        case fixed(Int64)
        /// `run/clock.json` of a state directory; the real time as long as there is none.
        case file(String)
    }

    private var source: Source

    init(_ source: Source) { self.source = source }

    func set(_ source: Source) { self.source = source }

    /// Unix seconds.
    var now: Int64 {
        let real = Date().timeIntervalSince1970
        switch source {
        case .real: return Int64(real)
        case .fixed(let time): return time
        case .file(let path): return Int64(Self.scaled(path, real: real) ?? real)
        }
    }

    static func seconds(rfc3339 text: String) -> Int64? {
        // A text that is no time is the caller's refusal to word, so the parser's own reason is not kept.
        (try? Date(text, strategy: .iso8601)).map { Int64($0.timeIntervalSince1970) }
    }

    private static func scaled(_ path: String, real: Double) -> Double? { nil }
}
