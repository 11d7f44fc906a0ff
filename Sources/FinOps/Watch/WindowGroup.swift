import EventLog

/// The sums of one kind of window in one zone, of every scope.
struct WindowGroup: Sendable {
    /// What tells groups apart.
    struct Key: Hashable, Comparable {
        let zone: String
        let kind: WindowKind

        static func < (left: Key, right: Key) -> Bool {
            (left.zone, left.kind.rawValue) < (right.zone, right.kind.rawValue)
        }
    }

    let key: Key
    private let calendar: BusinessCalendar
    /// The thresholds that look at these windows, by the number of their scope.
    var thresholds: [Threshold?] = []
    private(set) var windows: [WindowSums] = []
    /// Where the last change went: mostly the next one goes there too.
    private var recent = 0

    init?(_ key: Key) {
        guard let calendar = BusinessCalendar(key.zone) else { return nil }
        self.key = key
        self.calendar = calendar
    }

    /// The windows that touch a UTC day and have to be summed.
    func missing(on day: Day) -> [CostWindow] {
        var found = [CostWindow(key.kind, containing: day.utcStart, calendar)]
        while let end = found.last?.end, end < day.advanced(by: 1).utcStart {
            found.append(CostWindow(key.kind, containing: end, calendar))
        }
        return found.filter { window in !windows.contains { $0.window == window && $0.isWhole } }
    }

    /// Takes in what a window costs; what changed in it so far stays known as changed.
    mutating func sum(_ window: CostWindow, _ nanos: [Int128]) {
        let place = windows.firstIndex { $0.window == window } ?? windows.endIndex
        if place == windows.endIndex { windows.append(WindowSums(window)) }
        windows[place].begin(nanos)
    }

    mutating func end(where isOver: (CostWindow) -> Bool) {
        windows.removeAll { isOver($0.window) }
        recent = 0
    }

    /// What hours count for has changed: windows are summed again before anybody looks at them.
    mutating func endSums() {
        windows.removeAll { $0.changed.isEmpty }
        for place in windows.indices { windows[place].isWhole = false }
        recent = 0
    }

    /// - Precondition: the window that the hour lies in has been summed.
    mutating func add(_ nanos: Int64, hour: Int64, _ owner: ScopeTable.OwnerNumbers?) {
        if recent >= windows.count || !windows[recent].window.contains(hour) {
            guard let place = windows.firstIndex(where: { $0.window.contains(hour) }) else {
                preconditionFailure("the windows of a day are summed before its costs change")
            }
            recent = place
        }
        windows[recent].add(nanos, owner)
    }

    /// Counts every scope of a window as changed.
    mutating func markAll(_ isChosen: (CostWindow) -> Bool) {
        for place in windows.indices where isChosen(windows[place].window) {
            for scope in thresholds.indices where thresholds[scope] != nil { windows[place].mark(scope) }
        }
    }

    mutating func forgetChanges() {
        for place in windows.indices where !windows[place].changed.isEmpty { windows[place].forgetChanges() }
    }
}

/// What each scope costs in one window, and which of it changed since it was last looked at.
struct WindowSums: Sendable {
    /// A scope whose sum changed, and what it was before.
    struct Change: Sendable {
        let scope: Int
        let before: Int128
    }

    let window: CostWindow
    /// By the number of the scope; one without a place here costs nothing.
    private(set) var nanos: [Int128] = []
    private(set) var changed: [Change] = []
    private var isChanged: [Bool] = []
    /// Not since it was last said that hours may count for others.
    var isWhole = false

    init(_ window: CostWindow) { self.window = window }

    func sum(_ scope: Int) -> Int128 { scope < nanos.count ? nanos[scope] : 0 }

    fileprivate mutating func begin(_ sums: [Int128]) {
        nanos = sums
        isWhole = true
    }

    fileprivate mutating func add(_ amount: Int64, _ owner: ScopeTable.OwnerNumbers?) {
        add(amount, to: ScopeTable.organisation)
        guard let owner else { return }
        add(amount, to: owner.project)
        add(amount, to: owner.team)
    }

    private mutating func add(_ amount: Int64, to scope: Int) {
        mark(scope)
        nanos[scope] += Int128(amount)
    }

    fileprivate mutating func mark(_ scope: Int) {
        if scope >= nanos.count { nanos += repeatElement(0, count: scope + 1 - nanos.count) }
        if scope >= isChanged.count { isChanged += repeatElement(false, count: nanos.count - isChanged.count) }
        guard !isChanged[scope] else { return }
        isChanged[scope] = true
        changed.append(Change(scope: scope, before: nanos[scope]))
    }

    fileprivate mutating func forgetChanges() {
        for change in changed { isChanged[change.scope] = false }
        changed.removeAll(keepingCapacity: true)
    }
}
