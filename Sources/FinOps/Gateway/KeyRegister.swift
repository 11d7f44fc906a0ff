package import EventLog
import FoundationEssentials
import SwiftProtobuf

/// One key of the gateway, from its issue on. The stream is `key-<id>`.
package enum KeyRegister: Decider {
    /// A key as its events tell it.
    package struct Key: Equatable, Sendable {
        /// As it was issued; the value's prefix and hash may be others by now.
        package var issued: WireKeyIssued
        package var issuedAt: Timestamp
        /// Of the value that applications should use.
        package var prefix: String
        /// The value before it, as long as it is accepted.
        package var replaced: ReplacedValue?
        /// The last time; nil: never.
        package var rotated: Timestamp?
        /// nil while it may be used.
        package var disabled: Disablement?
        /// nil where nobody has asked since it was disabled.
        package var request: ReactivationRequest?
        /// Of the emergency behind this disablement.
        package var steps: [EmergencyStep: StepStanding] = [:]
    }

    /// A value that a rotation replaced.
    package struct ReplacedValue: Equatable, Sendable {
        package var prefix: String
        /// Unix seconds, exclusive.
        package var validUntil: Int64
    }

    /// Why a key is refused, and since when.
    package struct Disablement: Equatable, Sendable {
        /// person or policy.
        package var cause: String
        package var reason: String
        package var at: Timestamp
    }

    /// Who wants a disabled key back; another person has to approve it.
    package struct ReactivationRequest: Equatable, Sendable {
        /// Opaque id of the person.
        package var by: String
        package var reason: String
        package var at: Timestamp
    }

    /// nil before it is issued.
    package typealias State = Key?

    /// What is asked for, by whom and when.
    package struct Command: Sendable {
        package enum Change: Sendable {
            /// - Parameter projects: all there are.
            case issue(WireKeyIssued, projects: Set<String>)
            case rotate(WireKeyRotated)
            case disable(Cause, reason: String)
            case requestReactivation(reason: String)
            /// - Parameter administrators: all there are.
            case approveReactivation(administrators: Set<String>, reason: String)
            case startStep(WireKeyEmergencyStepStarted)
            case endStep(WireKeyEmergencyStepEnded)
        }

        /// Of the key.
        package var id: String
        package var change: Change
        /// Opaque id of the person.
        package var actor: String
        package var now: Timestamp

        package init(_ id: String, _ change: Change, by actor: String, at now: Timestamp) {
            self.id = id
            self.change = change
            self.actor = actor
            self.now = now
        }
    }

    /// Why a key is disabled. A drill refuses nothing: every gateway only answers as if it did.
    package enum Cause: String, Sendable {
        case person, policy, drill
    }

    /// How a key stands.
    package enum Status: String, Sendable {
        case active, rotating, expired, disabled
    }

    package static var initialState: State { nil }

    package static func evolve(_ state: inout State, _ event: ActedEvent) {
        switch event.event {
        case .keyIssued(let issued): state = Key(issued: issued, issuedAt: event.at, prefix: issued.prefix)
        case .keyRotated(let rotated):
            guard let old = state?.prefix else { return }
            state?.replaced = ReplacedValue(prefix: old, validUntil: rotated.oldValidUntil)
            state?.prefix = rotated.prefix
            state?.rotated = event.at
        case .keyDisabled(let disabled) where disabled.cause != Cause.drill.rawValue:
            state?.disabled = Disablement(cause: disabled.cause, reason: disabled.reason, at: event.at)
            state?.request = nil
            state?.steps = [:]
        case .keyReactivationRequested(let requested):
            state?.request = ReactivationRequest(by: event.actor, reason: requested.reason, at: event.at)
        case .keyReactivated:
            state?.disabled = nil
            state?.request = nil
            state?.steps = [:]
        case .keyEmergencyStepStarted, .keyEmergencyStepEnded:
            guard var key = state else { return }
            evolve(&key, event.event)
            state = key
        default: break
        }
    }

    /// - Returns: nothing when it is disabled already, or the same person has asked for its reactivation already.
    package static func decide(_ command: Command, _ state: State) throws(KeyRejection) -> [ActedEvent] {
        if case .issue(let issued, let projects) = command.change {
            guard state == nil else { throw .exists(command.id) }
            guard projects.contains(issued.project) else {
                throw .unknownProject(issued.project, known: projects.sorted())
            }
            guard !issued.hasExpires || issued.expires > command.now.seconds else { throw .expiresInThePast }
            return [command.event(.keyIssued(issued))]
        }
        guard let key = state else { throw .unknownKey(command.id) }
        switch command.change {
        case .issue: return []
        case .rotate(let rotated):
            guard key.disabled == nil else { throw .isDisabled(command.id) }
            guard key.status(at: command.now) != .expired else { throw .hasExpired(command.id) }
            guard rotated.oldValidUntil >= command.now.seconds else { throw .graceIsOver }
            return [command.event(.keyRotated(rotated))]
        case .disable(let cause, let reason):
            guard !reason.isEmpty else { throw .reasonMissing }
            if key.disabled != nil {
                guard cause != .drill else { throw .isDisabled(command.id) }
                return []
            }
            return [command.event(.disabled(command.id, cause, reason: reason))]
        case .requestReactivation(let reason):
            guard !reason.isEmpty else { throw .reasonMissing }
            guard key.disabled != nil else { throw .notDisabled(command.id) }
            if let request = key.request {
                guard request.by == command.actor else { throw .alreadyRequested(command.id) }
                return []
            }
            return [command.event(.reactivationRequested(command.id, reason: reason))]
        case .approveReactivation(let administrators, let reason):
            guard key.disabled != nil else { throw .notDisabled(command.id) }
            guard let request = key.request else { throw .notRequested(command.id) }
            guard request.by != command.actor else { throw .ownRequest(command.id) }
            guard administrators.contains(command.actor) else { throw .notAdministrator }
            return [command.event(.reactivated(command.id, reason: reason))]
        case .startStep(let step): return try decide(start: step, of: key).map(command.event)
        case .endStep(let step): return try decide(end: step, of: key).map(command.event)
        }
    }
}

extension KeyRegister.Key {
    /// What is the case at a moment. A disabled key is that before anything else.
    package func status(at now: Timestamp) -> KeyRegister.Status {
        if disabled != nil { return .disabled }
        if issued.hasExpires, issued.expires <= now.seconds { return .expired }
        if let replaced, now.seconds < replaced.validUntil { return .rotating }
        return .active
    }
}

extension KeyRegister.Command {
    fileprivate func event(_ event: FinOpsEvent) -> ActedEvent { ActedEvent(event, by: actor, at: now) }
}

extension FinOpsEvent {
    /// A key is refused from now on, or a drill of that.
    static func disabled(_ id: String, _ cause: KeyRegister.Cause, reason: String) -> FinOpsEvent {
        .keyDisabled(
            .with {
                $0.key = id
                $0.cause = cause.rawValue
                $0.reason = reason
            })
    }

    fileprivate static func reactivationRequested(_ id: String, reason: String) -> FinOpsEvent {
        .keyReactivationRequested(
            .with {
                $0.key = id
                $0.reason = reason
            })
    }

    fileprivate static func reactivated(_ id: String, reason: String) -> FinOpsEvent {
        .keyReactivated(
            .with {
                $0.key = id
                $0.reason = reason
            })
    }
}

/// Why something is refused that was asked of a key.
package enum KeyRejection: Error, Hashable, Sendable {
    case exists(String)
    /// `known` are all projects there are, for the message.
    case unknownProject(String, known: [String])
    case unknownKey(String)
    case expiresInThePast
    case isDisabled(String)
    case hasExpired(String)
    case graceIsOver
    case reasonMissing
    case notDisabled(String)
    case alreadyRequested(String)
    case notRequested(String)
    case ownRequest(String)
    case notAdministrator
}

extension KeyRejection: CustomStringConvertible {
    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .exists(let id): "there is a key \(id) already: issue another one"
        case .unknownProject(let project, let known):
            AdministrationRejection.unknownProject(project, known: known).description
        case .unknownKey(let id): "there is no key \(id): `finops key list` shows which there are"
        case .expiresInThePast: "--expires: that day is over; give a later one"
        case .isDisabled(let id): "key \(id) is disabled: ask for it with `finops key reactivate request \(id)`"
        case .hasExpired(let id): "key \(id) has expired: issue another one with `finops key issue`"
        case .graceIsOver: "--grace: it ends in the past; write it like 24h, or 0s for none"
        case .reasonMissing: "--reason is missing: say why, for whoever reads the audit log"
        case .notDisabled(let id): "key \(id) is not disabled: `finops key list` shows how it stands"
        case .alreadyRequested(let id):
            "the reactivation of key \(id) was asked for by somebody else: `finops key reactivate approve \(id)` answers it"
        case .notRequested(let id):
            "nobody has asked for the reactivation of key \(id): begin with `finops key reactivate request \(id) --reason TEXT`"
        case .ownRequest(let id):
            "who asked for the reactivation of key \(id) cannot approve it: another administrator has to (`finops person list`)"
        case .notAdministrator:
            "only an administrator may approve that: `finops person list` shows who is one"
        }
    }
}
