import EventLog
import SwiftProtobuf

/// Who was forgotten, so that it has an actor and a reason. The vault changes first, as with secrets.
package enum PersonRegister: Decider {
    /// The ids of those who were.
    package typealias State = Set<String>

    /// The vault holds nothing of this person any more.
    package struct Forgotten: Sendable {
        package let id: String
        package let reason: String

        package init(id: String, reason: String) {
            self.id = id
            self.reason = reason
        }
    }

    package static var initialState: State { [] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        if case .personForgotten(let forgotten) = event { state.insert(forgotten.personID) }
    }

    /// - Returns: nothing when the log knows that already.
    package static func decide(_ command: Forgotten, _ state: State) throws(Never) -> [FinOpsEvent] {
        if state.contains(command.id) { return [] }
        return [
            .personForgotten(
                .with {
                    $0.personID = command.id
                    $0.reason = command.reason
                })
        ]
    }
}
