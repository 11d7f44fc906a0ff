import EventLog
import FoundationEssentials

/// The sums of one kind of window in one zone, for the scopes that have a limit there.
struct WindowGroup: Sendable {
    /// A sum that changed since it was last looked at.
    struct Mark: Hashable, Sendable {
        /// Number of the window's first day.
        let window: Int
        /// Number of the scope.
        let scope: Int
    }

    /// What tells groups apart.
    struct Key: Hashable, Comparable {
        let kind: WindowKind
        let zone: String

        static func < (left: Key, right: Key) -> Bool {
            (left.zone, left.kind.rawValue) < (right.zone, right.kind.rawValue)
        }
    }

    private struct Sums: Sendable {
        let window: CostWindow
        /// By the number of the scope.
        var nanos: [Int128]
    }

    let kind: WindowKind
    let calendar: BusinessCalendar
    /// By the number of the scope.
    private var isArmed: [Bool] = []
    private var sums: [Int: Sums] = [:]
    /// First days of the windows of hours: asking the zone costs more than adding.
    private var firstDays: [Int64: Int] = [:]
    /// The changed sums, with what they were before.
    private var marks: [Mark: Int128?] = [:]

    private static let rememberedHours = 10_000

    init(_ kind: WindowKind, _ calendar: BusinessCalendar) {
        self.kind = kind
        self.calendar = calendar
    }

    var zone: String { calendar.zone.identifier }
    var windows: [CostWindow] { sums.values.map(\.window).sorted { $0.start < $1.start } }

    mutating func arm(_ scopes: some Sequence<Int>, count: Int) {
        isArmed = Array(repeating: false, count: count)
        for scope in scopes { isArmed[scope] = true }
    }

    /// The windows that touch a UTC day and are not summed yet.
    func missing(on day: Day) -> [CostWindow] {
        var found = [CostWindow(kind, containing: day.utcStart, calendar)]
        while let end = found.last?.end, end < day.advanced(by: 1).utcStart {
            found.append(CostWindow(kind, containing: end, calendar))
        }
        return found.filter { sums[$0.firstDay.number] == nil }
    }

    /// Begins a window at nought; what is known of it is added next, and then `forget` says that it is no change.
    mutating func begin(_ window: CostWindow) {
        sums[window.firstDay.number] = Sums(window: window, nanos: Array(repeating: 0, count: isArmed.count))
    }

    mutating func end(_ window: CostWindow) { sums[window.firstDay.number] = nil }

    mutating func endAll() {
        sums.removeAll()
        marks.removeAll()
    }

    mutating func add(_ nanos: Int64, hour: Int64, scope: Int) {
        guard scope < isArmed.count, isArmed[scope] else { return }
        let window = firstDay(of: hour)
        guard let before = sums[window]?.nanos[scope] else { return }
        let mark = Mark(window: window, scope: scope)
        if marks[mark] == nil { marks[mark] = .some(before) }
        sums[window]?.nanos[scope] = before + Int128(nanos)
    }

    /// Adds to one window alone, without marking it as changed.
    mutating func fill(_ window: CostWindow, with nanos: Int64, hour: Int64, scope: Int) {
        guard scope < isArmed.count, isArmed[scope], window.contains(hour) else { return }
        sums[window.firstDay.number]?.nanos[scope] += Int128(nanos)
    }

    func sum(_ window: Int, scope: Int) -> Int128 { sums[window].map { $0.nanos[scope] } ?? 0 }

    func window(_ firstDay: Int) -> CostWindow? { sums[firstDay]?.window }

    /// Marks all sums of some windows, without knowing what they were before.
    mutating func markAll(_ isChosen: (CostWindow) -> Bool) {
        for sums in sums.values where isChosen(sums.window) {
            for scope in isArmed.indices where isArmed[scope] {
                marks.updateValue(nil, forKey: Mark(window: sums.window.firstDay.number, scope: scope))
            }
        }
    }

    /// The changed sums, with what they were before where that is known; none afterwards.
    mutating func takeMarks() -> [(mark: Mark, before: Int128?)] {
        defer { marks.removeAll(keepingCapacity: true) }
        return marks.map { ($0.key, $0.value) }.sorted { ($0.0.window, $0.0.scope) < ($1.0.window, $1.0.scope) }
    }

    private mutating func firstDay(of hour: Int64) -> Int {
        if let known = firstDays[hour] { return known }
        if firstDays.count >= Self.rememberedHours { firstDays.removeAll(keepingCapacity: true) }
        let first = CostWindow(kind, containing: Timestamp(seconds: hour), calendar).firstDay.number
        firstDays[hour] = first
        return first
    }
}
