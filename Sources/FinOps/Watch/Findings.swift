import EventLog

/// The crossings and clearings of the windows that are watched.
struct Findings: Sendable {
    /// What was last found about a level.
    struct Finding: Sendable {
        /// By which event of the log it became so.
        let position: UInt64
        let isStanding: Bool
        /// Nano-units.
        let limit: Int64
        let zone: String
        /// Of a project.
        let team: String
    }

    /// A crossing that nothing took back.
    struct Standing {
        /// Its number.
        let scope: Int
        let kind: WindowKind
        let firstDay: Int
        let level: UInt32
        let finding: Finding
    }

    private struct Place: Hashable {
        let kind: WindowKind
        let firstDay: Int
    }

    private var all: [Place: [Int: [UInt32: Finding]]] = [:]

    /// By the number of the scope, then by level; whatever its zone.
    func about(_ window: CostWindow) -> [Int: [UInt32: Finding]]? {
        all[Place(kind: window.kind, firstDay: window.firstDay.number)]
    }

    /// Every crossing that stands, in no order.
    var standing: [Standing] {
        all.flatMap { place, scopes in
            scopes.flatMap { scope, levels in
                levels.filter { $0.value.isStanding }.map { level, finding in
                    Standing(scope: scope, kind: place.kind, firstDay: place.firstDay, level: level, finding: finding)
                }
            }
        }
    }

    mutating func evolve(_ event: FinOpsEvent, _ scopes: inout ScopeTable) {
        switch event {
        case .thresholdCrossed(let event):
            add(
                Finding(
                    position: event.position, isStanding: true, limit: event.limit.nanos, zone: event.zone,
                    team: event.team),
                (event.scope, event.name), (event.window, event.firstDay), level: event.level, &scopes)
        case .thresholdCleared(let event):
            add(
                Finding(
                    position: event.position, isStanding: false, limit: event.limit.nanos, zone: event.zone,
                    team: event.team),
                (event.scope, event.name), (event.window, event.firstDay), level: event.level, &scopes)
        default: break
        }
    }

    private mutating func add(
        _ finding: Finding, _ scope: (kind: String, name: String), _ window: (kind: String, firstDay: String),
        level: UInt32, _ scopes: inout ScopeTable
    ) {
        guard let scope = CostScope(kind: scope.kind, name: scope.name), let kind = WindowKind(rawValue: window.kind),
            let firstDay = Day(window.firstDay)
        else { return }
        let number = scopes.number(of: scope)
        let place = Place(kind: kind, firstDay: firstDay.number)
        // It is folded when it is found, and met again in the log: what is older than what is known says nothing. What one
        // commit clears in one zone and finds in another was cleared first.
        if let known = all[place]?[number]?[level] {
            if known.position > finding.position { return }
            if known.position == finding.position && (known.isStanding || !finding.isStanding) { return }
        }
        all[place, default: [:]][number, default: [:]][level] = finding
    }

    mutating func forget(firstDay: Int) {
        for kind in WindowKind.allCases { all[Place(kind: kind, firstDay: firstDay)] = nil }
    }
}
