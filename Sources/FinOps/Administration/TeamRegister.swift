import EventLog
import SwiftProtobuf

/// The teams that costs belong to. The stream is `directory-teams`.
package enum TeamRegister: Decider {
    /// Teams by name.
    package typealias State = [String: WireTeamAdded]

    /// Adds a team, or states its owner and budget anew. What is nil stays as it is.
    package struct Command: Sendable {
        package var team: GivenName
        /// Opaque id of a person.
        package var owner: String?
        /// Per month.
        package var budget: Money?
        /// As the person gave it; it stays in the event.
        package var reason: String

        package init(team: GivenName, owner: String?, budget: Money?, reason: String) {
            self.team = team
            self.owner = owner
            self.budget = budget
            self.reason = reason
        }
    }

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        if case .teamAdded(let added) = event { state[added.team] = added }
    }

    package static func decide(_ command: Command, _ state: State) throws(Never) -> [FinOpsEvent] {
        let known = state[command.team.text]
        var team = known ?? WireTeamAdded.with { $0.team = command.team.text }
        if let owner = command.owner { team.owner = owner }
        if let budget = command.budget {
            team.budget = .with {
                $0.nanos = budget.nanos
                $0.currency = budget.currency.code
            }
        }
        if team == known { return [] }
        team.reason = command.reason
        return [.teamAdded(team)]
    }
}
