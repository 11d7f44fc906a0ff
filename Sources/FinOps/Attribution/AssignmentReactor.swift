package import EventLog
import SwiftProtobuf

/// Turns mappings, moves and connections into assignments: for every account a subject may appear in, the spans of time
/// in which its owner differs from what was assigned before. Assignments, not copies of costs.
package struct AssignmentReactor: Sendable {
    /// As of the last event taken in.
    package private(set) var directory = Directory()
    private var assigned: [Directory.Account: [AttributionSubject: Timeline<Owner>]] = [:]

    package init() {}

    /// Takes in history without answering it: directory events up to a checkpoint, and all assignments so far.
    package mutating func evolve(_ event: FinOpsEvent) {
        if case .attributionAssigned(let assignment) = event {
            guard let subject = assignment.attributionSubject else { return }
            let account = Directory.Account(provider: assignment.provider, account: assignment.account)
            assigned[account, default: [:]][subject, default: Timeline()]
                .set(Owner(team: assignment.team, project: assignment.project), from: assignment.start)
        } else {
            directory.evolve(event)
        }
    }

    /// Why an event of the directory cannot be answered.
    package enum Refusal: Error, Hashable, Sendable {
        /// A mapping to a project that was never added.
        case unknownProject(String)
    }

    /// Takes an event in and answers it.
    /// - Parameter position: of the event; it becomes the version of the assignments.
    /// - Returns: in the order in which they are to be appended: of equal versions the later `from` counts.
    /// - Throws: `Refusal`; the reactor is as before then.
    package mutating func react(to event: FinOpsEvent, at position: Position) throws(Refusal)
        -> [WireAttributionAssigned]
    {
        var next = self
        next.evolve(event)
        var answers: [WireAttributionAssigned] = []
        for (account, subject) in try next.affected(by: event) {
            let wanted = next.directory.ownership(of: subject, provider: account.provider)
            let known = next.assigned[account]?[subject] ?? Timeline()
            for span in wanted.statements(turning: known) {
                answers.append(Self.assignment(account, subject, span, version: position.value))
            }
        }
        for answer in answers { next.evolve(.attributionAssigned(answer)) }
        self = next
        return answers
    }

    private func affected(by event: FinOpsEvent) throws(Refusal) -> [(Directory.Account, AttributionSubject)] {
        switch event {
        case .keyMapped(let event):
            try known(event.project)
            return accounts(of: event.provider).map { ($0, .key(event.providerKeyID)) }
        case .providerProjectMapped(let event):
            try known(event.project)
            return accounts(of: event.provider).map { ($0, .providerProject(event.providerProjectID)) }
        case .projectMoved(let event):
            return directory.mappings.flatMap { provider, subjects in
                let touched = subjects.filter { $0.value.spans.contains { $0.value == event.project } }.keys
                return accounts(of: provider).flatMap { account in touched.map { (account, $0) } }
            }.sorted(by: Self.precedes)
        case .connectionMade(let event):
            let account = Directory.Account(provider: event.provider, account: event.account)
            return (directory.mappings[event.provider] ?? [:]).keys.map { (account, $0) }.sorted(by: Self.precedes)
        default: return []
        }
    }

    private func known(_ project: String) throws(Refusal) {
        guard directory.projects[project] != nil else { throw .unknownProject(project) }
    }

    private func accounts(of provider: String) -> [Directory.Account] {
        directory.accounts.filter { $0.provider == provider }.sorted()
    }

    private static func precedes(
        _ left: (Directory.Account, AttributionSubject), _ right: (Directory.Account, AttributionSubject)
    ) -> Bool {
        if left.0 != right.0 { return left.0 < right.0 }
        return (left.1.rule, left.1.id) < (right.1.rule, right.1.id)
    }

    private static func assignment(
        _ account: Directory.Account, _ subject: AttributionSubject, _ span: Timeline<Owner>.Span, version: UInt64
    ) -> WireAttributionAssigned {
        .with {
            $0.provider = account.provider
            $0.account = account.account
            switch subject {
            case .key(let id): $0.apiKeyID = id
            case .providerProject(let id): $0.providerProjectID = id
            }
            $0.team = span.value.team
            $0.project = span.value.project
            if let from = span.from { $0.from = from.seconds }
            $0.version = version
        }
    }
}
