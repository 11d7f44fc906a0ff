import EventLog
import SwiftProtobuf

/// One provider account that is collected. The stream is `connection-<provider>-<account>`.
package enum ConnectionRegister: Decider {
    /// nil before it is made and after it is removed.
    package typealias State = WireConnectionMade?

    /// What a person asks for.
    package enum Command: Sendable {
        /// - Parameter keyChanged: whether the vault holds another key than before, which a mask may not show.
        case connect(WireConnectionMade, keyChanged: Bool)
        /// The account is no longer collected; what was collected stays.
        case remove(provider: String, account: String, reason: String)
    }

    package static var initialState: State { nil }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .connectionMade(let made): state = made
        case .connectionRemoved: state = nil
        default: break
        }
    }

    /// - Returns: nothing when what is asked for is so already and the key is the same.
    /// - Throws: `unknownConnection` for the removal of what is not there.
    package static func decide(
        _ command: Command, _ state: State
    ) throws(AdministrationRejection) -> [FinOpsEvent] {
        switch command {
        case .connect(let made, let keyChanged):
            var known = state
            known?.reason = made.reason
            return known == made && !keyChanged ? [] : [.connectionMade(made)]
        case .remove(let provider, let account, let reason):
            guard state != nil else { throw .unknownConnection(provider: provider, account: account) }
            return [
                .connectionRemoved(
                    .with {
                        $0.provider = provider
                        $0.account = account
                        $0.reason = reason
                    })
            ]
        }
    }
}
