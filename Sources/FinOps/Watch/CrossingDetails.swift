import EventLog
import SwiftProtobuf

/// What a reader of an alert asks next: how it compares with the window before, where it is heading, and what grew. One pass
/// over the pages answers it for all crossings of a settlement.
struct CrossingDetails {
    private struct Consumer: Hashable, Comparable {
        let provider: String
        let key: String?
        let model: String?

        static func < (left: Consumer, right: Consumer) -> Bool {
            (left.provider, left.key ?? "", left.model ?? "") < (right.provider, right.key ?? "", right.model ?? "")
        }
    }

    private struct Question: Hashable {
        let scope: CostScope
        let window: CostWindow
    }

    private struct Answer {
        var now: [Consumer: Int128] = [:]
        var before: [Consumer: Int128] = [:]
        var metered = false
        var billed = false
    }

    private let usageThrough: Int64
    private var answers: [Question: Answer] = [:]

    init(_ crossings: [Crossing], _ watch: ThresholdWatch) {
        usageThrough = watch.pages.values.map(\.usageThrough).max() ?? .min
        let windows = Dictionary(grouping: crossings) { WindowOfZone(window: $0.window, zone: $0.threshold.zone) }
        for (_, crossings) in windows { look(at: crossings, watch) }
    }

    private struct WindowOfZone: Hashable {
        let window: CostWindow
        let zone: String
    }

    private mutating func look(at crossings: [Crossing], _ watch: ThresholdWatch) {
        guard let first = crossings.first else { return }
        let scopes = Set(crossings.map(\.threshold.scope))
        let window = first.window
        let previous = window.previous(first.threshold.calendar)
        // As far into the window before as usage of this one is known.
        let elapsed = min(max(usageThrough, window.start.seconds), window.end.seconds) - window.start.seconds
        let compared =
            previous.start
            .seconds..<max(previous.start.seconds, min(previous.start.seconds + elapsed, previous.end.seconds))
        for scope in scopes { answers[Question(scope: scope, window: window)] = Answer() }
        for number in previous.utcDays.lowerBound...window.utcDays.upperBound {
            guard let page = watch.pages[number] else { continue }
            for (cell, isBilled) in page.counted(watch.table) {
                let isNow = window.contains(cell.hour)
                guard isNow || compared.contains(cell.hour) else { continue }
                let series = watch.table.all[cell.series]
                let consumer = Consumer(provider: series.provider, key: series.key, model: series.model)
                let owner = watch.owner(of: cell.series, hour: cell.hour)
                let touched: [CostScope] =
                    [.organisation] + (owner.map { [.project($0.project), .team($0.team)] } ?? [])
                for scope in touched where scopes.contains(scope) {
                    let question = Question(scope: scope, window: window)
                    if isNow {
                        answers[question]?.now[consumer, default: 0] += Int128(cell.nanos)
                        if isBilled { answers[question]?.billed = true } else { answers[question]?.metered = true }
                    } else {
                        answers[question]?.before[consumer, default: 0] += Int128(cell.nanos)
                    }
                }
            }
        }
    }

    func event(_ crossing: Crossing, at position: Position) -> WireThresholdCrossed {
        let threshold = crossing.threshold
        let window = crossing.window
        let answer = answers[Question(scope: threshold.scope, window: window)] ?? Answer()
        func money(_ nanos: Int128) -> WireMoney { Money(clamping: nanos, currency: threshold.currency).wire }
        return .with {
            $0.scope = threshold.scope.kind
            $0.name = threshold.scope.name
            $0.window = window.kind.rawValue
            $0.firstDay = window.firstDay.description
            $0.windowStart = window.start.seconds
            $0.windowEnd = window.end.seconds
            $0.zone = threshold.zone
            $0.level = crossing.level
            $0.limit = threshold.limit(window.kind).wire
            $0.cost = money(crossing.cost)
            $0.basis = answer.metered && answer.billed ? "mixed" : answer.billed ? "billed" : "metered"
            $0.position = position.value
            $0.usageThrough = min(max(usageThrough, window.start.seconds), window.end.seconds)
            $0.previous = money(answer.before.values.reduce(0, +))
            $0.forecast = money(forecast(crossing))
            if let cause = cause(answer) {
                $0.cause = .with {
                    $0.provider = cause.consumer.provider
                    if let key = cause.consumer.key { $0.apiKeyID = key }
                    if let model = cause.consumer.model { $0.model = model }
                    $0.cost = money(answer.now[cause.consumer] ?? 0)
                    $0.growth = money(cause.growth)
                }
            }
        }
    }

    /// Straight line from the window's start through what is known to its end; what is known, once the window is over.
    private func forecast(_ crossing: Crossing) -> Int128 {
        let window = crossing.window
        let whole = Int128(window.end.seconds - window.start.seconds)
        let known = Int128(min(max(usageThrough, window.start.seconds), window.end.seconds) - window.start.seconds)
        guard known > 0, known < whole else { return crossing.cost }
        return crossing.cost * whole / known
    }

    private func cause(_ answer: Answer) -> (consumer: Consumer, growth: Int128)? {
        answer.now.map { ($0.key, $0.value - (answer.before[$0.key] ?? 0)) }
            .sorted { ($1.1, $0.0) < ($0.1, $1.0) }.first
    }
}
