import EventLog

/// A number for every scope, and the scopes that the costs of a series count for.
struct ScopeTable: Sendable {
    /// A project and its team.
    struct OwnerNumbers: Hashable, Sendable {
        let project: Int
        let team: Int
    }

    static let organisation = 0

    private(set) var all: [CostScope] = [.organisation]
    private var numbers: [CostScope: Int] = [.organisation: 0]
    private var assignments = AssignmentIndex()
    /// The team of a project over time.
    private var projects: [String: Timeline<String>] = [:]
    /// By the number of the series: owners over time, each from its moment until the next.
    private var owners: [[(from: Int64, owner: OwnerNumbers?)]?] = []

    mutating func number(of scope: CostScope) -> Int {
        if let known = numbers[scope] { return known }
        numbers[scope] = all.count
        all.append(scope)
        return all.count - 1
    }

    mutating func evolve(_ event: FinOpsEvent) {
        switch event {
        case .projectAdded(let event): projects[event.project, default: Timeline()].set(event.team, from: nil)
        case .projectMoved(let event): projects[event.project, default: Timeline()].set(event.team, from: event.start)
        default: assignments.evolve(event)
        }
        owners.removeAll(keepingCapacity: true)
    }

    mutating func owner(of series: Int, hour: Int64, _ table: SeriesTable) -> OwnerNumbers? {
        spans(of: series, table).last { $0.from <= hour }?.owner
    }

    /// Whether costs of a series count, at any time, for one of some scopes.
    mutating func counts(_ series: Int, for wanted: Set<Int>, _ table: SeriesTable) -> Bool {
        wanted.contains(Self.organisation)
            || spans(of: series, table).contains { span in
                span.owner.map { wanted.contains($0.project) || wanted.contains($0.team) } ?? false
            }
    }

    private mutating func spans(of series: Int, _ table: SeriesTable) -> [(from: Int64, owner: OwnerNumbers?)] {
        if owners.count <= series { owners += repeatElement(nil, count: series + 1 - owners.count) }
        if let known = owners[series] { return known }
        let found = look(up: table.all[series])
        owners[series] = found
        return found
    }

    private mutating func look(up series: CostSeries) -> [(from: Int64, owner: OwnerNumbers?)] {
        if let project = series.project { return spans(ofProject: project) }
        let spans = assignments.account(provider: series.provider, account: series.account)
            .owners(key: series.key, providerProject: series.providerProject)
        return spans.map { span in
            (
                span.from,
                span.owner.map {
                    OwnerNumbers(project: number(of: .project($0.project)), team: number(of: .team($0.team)))
                }
            )
        }
    }
    /// A key of the gateway belongs to one project for ever; the project's team may change.
    private mutating func spans(ofProject project: String) -> [(from: Int64, owner: OwnerNumbers?)] {
        if project.isEmpty { return [] }
        let number = number(of: .project(project))
        let teams = projects[project]?.spans ?? []
        let unknown = teams.first.map { $0.from != nil } ?? true
        return (unknown ? [(Int64.min, OwnerNumbers(project: number, team: self.number(of: .team(""))))] : [])
            + teams.map { span in
                (
                    span.from?.seconds ?? .min,
                    OwnerNumbers(project: number, team: self.number(of: .team(span.value)))
                )
            }
    }
}
