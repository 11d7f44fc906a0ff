import EventLog
import SwiftProtobuf

/// What the log says of one secret in the vault, so that every change of it has an actor and a reason. The stream is
/// `secret-<id>`. The vault changes first: whoever was interrupted before the log knew is made up for by the same command.
package enum SecretRegister: Decider {
    /// nil before the first version and after a removal.
    package typealias State = Known?

    /// What the log knows of a secret.
    package struct Known: Hashable, Sendable {
        /// Last stored.
        package var version: UInt32
        /// The key it lies under; nil where older events do not say so.
        package var wrappedBy: WireWrappingKey?
    }

    /// What became of the secret in the vault.
    package enum Command: Sendable {
        /// The vault holds this version now.
        case stored(id: String, purpose: String, version: UInt32, wrappedBy: WireWrappingKey, reason: String)
        /// It lies under this key now.
        case rewrapped(id: String, purpose: String, version: UInt32, wrappedBy: WireWrappingKey, reason: String)
        /// The vault holds none.
        /// - Parameter wasThere: whether it held one until now.
        case removed(id: String, wasThere: Bool, reason: String)
    }

    package static var initialState: State { nil }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .secretStored(let stored):
            state = Known(
                version: stored.version, wrappedBy: stored.hasWrappedBy ? stored.wrappedBy : nil)
        case .secretRewrapped(let rewrapped):
            state = Known(version: rewrapped.version, wrappedBy: rewrapped.wrappedBy)
        case .secretRemoved: state = nil
        default: break
        }
    }

    /// - Returns: nothing when the log knows that already.
    package static func decide(_ command: Command, _ state: State) throws(Never) -> [FinOpsEvent] {
        switch command {
        case .stored(let id, let purpose, let version, let key, let reason):
            if state?.version == version { return [] }
            return [
                .secretStored(
                    .with {
                        $0.secretID = id
                        $0.purpose = purpose
                        $0.version = version
                        $0.wrappedBy = key
                        $0.reason = reason
                    })
            ]
        case .rewrapped(let id, let purpose, let version, let key, let reason):
            if state?.wrappedBy == key { return [] }
            return [
                .secretRewrapped(
                    .with {
                        $0.secretID = id
                        $0.purpose = purpose
                        $0.version = version
                        $0.wrappedBy = key
                        $0.reason = reason
                    })
            ]
        case .removed(let id, let wasThere, let reason):
            guard wasThere || state != nil else { return [] }
            return [
                .secretRemoved(
                    .with {
                        $0.secretID = id
                        $0.reason = reason
                    })
            ]
        }
    }
}
