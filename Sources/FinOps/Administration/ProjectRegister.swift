import EventLog
import SwiftProtobuf

/// The projects and the teams they belong to. The stream is `directory-projects`.
package enum ProjectRegister: Decider {
    /// The team of each project, by the project's name.
    package typealias State = [String: DatedChoice]

    /// What a person asks for.
    package enum Command: Sendable {
        /// - Parameter teams: all there are.
        case add(GivenName, team: GivenName, teams: Set<String>, reason: String)
        /// - Parameter from: Unix seconds; nil for "from the beginning".
        case move(GivenName, team: GivenName, from: Int64?, teams: Set<String>, reason: String)
    }

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .projectAdded(let added): state[added.project, default: DatedChoice()].state(added.team, from: nil)
        case .projectMoved(let moved):
            state[moved.project, default: DatedChoice()].state(moved.team, from: moved.hasFrom ? moved.from : nil)
        default: break
        }
    }

    /// - Returns: nothing when the project belongs to that team already.
    /// - Throws: `unknownTeam`, `unknownProject`, `projectBelongsElsewhere`.
    package static func decide(
        _ command: Command, _ state: State
    ) throws(AdministrationRejection) -> [FinOpsEvent] {
        switch command {
        case .add(let project, let team, let teams, let reason):
            try check(team, in: teams)
            if let current = state[project.text]?.latest {
                guard current == team.text else {
                    throw .projectBelongsElsewhere(project: project.text, team: current)
                }
                return []
            }
            return [
                .projectAdded(
                    .with {
                        $0.project = project.text
                        $0.team = team.text
                        $0.reason = reason
                    })
            ]
        case .move(let project, let team, let from, let teams, let reason):
            try check(team, in: teams)
            guard let choice = state[project.text] else {
                throw .unknownProject(project.text, known: state.keys.sorted())
            }
            if choice.isAlready(team.text, from: from) { return [] }
            return [
                .projectMoved(
                    .with {
                        $0.project = project.text
                        $0.team = team.text
                        if let from { $0.from = from }
                        $0.reason = reason
                    })
            ]
        }
    }

    private static func check(_ team: GivenName, in teams: Set<String>) throws(AdministrationRejection) {
        guard teams.contains(team.text) else { throw .unknownTeam(team.text, known: teams.sorted()) }
    }
}
