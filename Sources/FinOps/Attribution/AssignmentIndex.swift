/// Finds the owner of a cost: among the assignments of its key that have begun, the one with the greatest version (of equal
/// versions the one that began last); if there is none, the same for its provider project.
package struct AssignmentIndex: Sendable {
    /// An owner, and which rule of which version says so.
    package struct Assignment: Hashable, Sendable {
        package let owner: Owner
        /// `key` or `provider-project`.
        package let rule: String
        /// The position of the event that the attributor answered with it.
        package let version: UInt64
        /// Unix seconds; `Int64.min` for "from the beginning".
        fileprivate let from: Int64
    }

    /// The assignments of one account, for loops that stay with it.
    package struct Account: Sendable {
        fileprivate var keys: [String: [Assignment]] = [:]
        fileprivate var providerProjects: [String: [Assignment]] = [:]

        package init() {}

        /// - Parameter hour: Unix seconds of the beginning of the hour in which the cost arose.
        /// - Returns: nil for what no mapping claims.
        package func assignment(key: String?, providerProject: String?, hour: Int64) -> Assignment? {
            if let key, let found = keys[key]?.last(where: { $0.from <= hour }) { return found }
            return providerProject.flatMap { providerProjects[$0] }?.last { $0.from <= hour }
        }

        /// The owners of a key's costs over time: each from its moment (Unix seconds) until the next, nil for none.
        func owners(key: String?, providerProject: String?) -> [(from: Int64, owner: Owner?)] {
            let moments = (key.flatMap { keys[$0] } ?? []) + (providerProject.flatMap { providerProjects[$0] } ?? [])
            return Set(moments.map(\.from)).sorted().map { moment in
                (moment, assignment(key: key, providerProject: providerProject, hour: moment)?.owner)
            }
        }

        fileprivate mutating func add(_ event: WireAttributionAssigned) {
            guard let subject = event.attributionSubject else { return }
            let assignment = Assignment(
                owner: Owner(team: event.team, project: event.project), rule: subject.rule, version: event.version,
                from: event.hasFrom ? event.from : .min)
            switch subject {
            case .key(let id): keys[id, default: []].insertSorted(assignment)
            case .providerProject(let id): providerProjects[id, default: []].insertSorted(assignment)
            }
        }
    }

    private var accounts: [Directory.Account: Account] = [:]

    /// No assignments: `evolve` takes them in, in the order of the log.
    package init() {}

    /// Takes in an assignment; other events change nothing.
    package mutating func evolve(_ event: FinOpsEvent) {
        guard case .attributionAssigned(let event) = event else { return }
        accounts[.init(provider: event.provider, account: event.account), default: Account()].add(event)
    }

    /// The assignments of one account, for many questions.
    package func account(provider: String, account: String) -> Account {
        accounts[.init(provider: provider, account: account)] ?? Account()
    }

    /// What counts for a key or provider project at a moment; nil if nothing claims it.
    package func assignment(
        provider: String, account: String, key: String?, providerProject: String?, hour: Int64
    ) -> Assignment? {
        accounts[.init(provider: provider, account: account)]?.assignment(
            key: key, providerProject: providerProject, hour: hour)
    }
}

extension [AssignmentIndex.Assignment] {
    /// Ascending by version, then beginning: the last that has begun counts.
    fileprivate mutating func insertSorted(_ assignment: Element) {
        let at = lastIndex { ($0.version, $0.from) <= (assignment.version, assignment.from) }.map { $0 + 1 } ?? 0
        insert(assignment, at: at)
    }
}
