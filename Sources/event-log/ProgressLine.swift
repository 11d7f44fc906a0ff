import Runtime

/// Tells on stderr how far a long command is: from two seconds on, once a second, and only if a person looks.
struct ProgressLine {
    private let doing: String
    private let unit: String
    private let isShown: Bool
    private let started = ContinuousClock.now
    private var said: ContinuousClock.Instant?

    init(_ doing: String, unit: String, options: GlobalOptions) {
        self.doing = doing
        self.unit = unit
        isShown = Output.isErrorTerminal && !options.quiet
    }

    mutating func update(_ done: UInt64, of total: UInt64) {
        let now = ContinuousClock.now
        guard isShown, now - started > .seconds(2), now - (said ?? started) > .seconds(1) else { return }
        said = now
        let rate = max(1, done / UInt64(max(1, (now - started).components.seconds)))
        let percent = total == 0 ? 100 : min(100, done * 100 / total)
        Output.message(
            "\(doing): \(done) of \(total) \(unit) (\(percent) %), \(rate)/s, \(total > done ? (total - done) / rate : 0) s left"
        )
    }
}
