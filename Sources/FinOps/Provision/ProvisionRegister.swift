import EventLog
import SwiftProtobuf

/// What is made at a provider for one of our projects, so that the gateway has a key of that project's own to call with.
/// The stream is `provision-<upstream>`. The intent comes first; everything made there has the name that the intent says.
package enum ProvisionRegister: Decider {
    /// How far it got.
    package struct Provision: Equatable, Sendable {
        package var started: WireProvisionStarted
        /// The provider's project; nil before it is known to be there.
        package var projectID: String?
        /// nil before its key is in the vault, and after it was deleted.
        package var account: WireProvisionAccountMade?
        /// Its key was deleted in an emergency: nothing is made in its place.
        package var isStopped = false
        /// It is being taken back; what was not deleted yet is deleted by the same command.
        package var isWithdrawing = false

        /// Of everything that is made there.
        package var name: String { started.providerName }
    }

    /// nil before it is asked for, and after it was taken back.
    package typealias State = Provision?

    /// Why a service account was deleted.
    package enum Cause: String, Sendable {
        /// Nobody has its key: the answer that carried it was lost.
        case orphan
        case emergency, withdrawal
    }

    package enum Command: Sendable {
        /// - Parameters:
        ///   - projects: all there are.
        ///   - isTaken: whether the gateway calls something by that name already.
        case begin(WireProvisionStarted, projects: Set<String>, isTaken: Bool)
        case projectMade(id: String, found: Bool)
        case accountMade(id: String, keyID: String, mask: String, version: UInt32)
        case accountDeleted(id: String, Cause, reason: String)
        case beginWithdrawal(reason: String)
        case withdrawn(archived: [String])
    }

    package static var initialState: State { nil }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .provisionStarted(let started): state = Provision(started: started)
        case .provisionProjectMade(let made): state?.projectID = made.providerProjectID
        case .provisionAccountMade(let made): state?.account = made
        case .provisionAccountDeleted(let deleted):
            if state?.account?.serviceAccountID == deleted.serviceAccountID { state?.account = nil }
            if deleted.cause == Cause.emergency.rawValue { state?.isStopped = true }
        case .provisionWithdrawalStarted: state?.isWithdrawing = true
        case .provisionWithdrawn: state = nil
        default: break
        }
    }

    /// - Returns: nothing for what is under way or done already.
    package static func decide(_ command: Command, _ state: State) throws(ProvisionRejection) -> [FinOpsEvent] {
        if case .begin(let started, let projects, let isTaken) = command {
            return try begin(started, projects, isTaken, state)
        }
        guard let known = state else { throw .unknown }
        let upstream = known.started.upstream
        switch command {
        case .begin: return []
        case .projectMade(let id, let found):
            if known.projectID == id { return [] }
            return [
                .provisionProjectMade(
                    .with {
                        ($0.upstream, $0.providerProjectID, $0.found) = (upstream, id, found)
                    })
            ]
        case .accountMade(let id, let keyID, let mask, let version):
            if known.isWithdrawing { throw .withdrawing(upstream) }
            return [
                .provisionAccountMade(
                    .with {
                        ($0.upstream, $0.serviceAccountID, $0.providerKeyID) = (upstream, id, keyID)
                        ($0.keyMask, $0.secretVersion) = (mask, version)
                    })
            ]
        case .accountDeleted(let id, let cause, let reason):
            return [
                .provisionAccountDeleted(
                    .with {
                        ($0.upstream, $0.serviceAccountID, $0.cause, $0.reason) = (upstream, id, cause.rawValue, reason)
                    })
            ]
        case .beginWithdrawal(let reason):
            if known.isWithdrawing { return [] }
            return [.provisionWithdrawalStarted(.with { ($0.upstream, $0.reason) = (upstream, reason) })]
        case .withdrawn(let archived):
            return [.provisionWithdrawn(.with { ($0.upstream, $0.archived) = (upstream, archived) })]
        }
    }

    private static func begin(
        _ started: WireProvisionStarted, _ projects: Set<String>, _ isTaken: Bool, _ state: State
    ) throws(ProvisionRejection) -> [FinOpsEvent] {
        guard projects.contains(started.project) else {
            throw .unknownProject(started.project, known: projects.sorted())
        }
        guard let known = state else {
            guard !isTaken else { throw .upstreamExists(started.upstream) }
            return [.provisionStarted(started)]
        }
        guard known.started.project == started.project, known.started.account == started.account else {
            throw .isAnothers(
                started.upstream, project: known.started.project, account: known.started.account)
        }
        guard !known.isWithdrawing else { throw .withdrawing(started.upstream) }
        guard !known.isStopped else { throw .stopped(started.upstream, project: started.project) }
        return []
    }
}

/// Why something is refused that was asked of a provision.
package enum ProvisionRejection: Error, Hashable, Sendable {
    case unknown
    case unknownProject(String, known: [String])
    case upstreamExists(String)
    case isAnothers(String, project: String, account: String)
    case withdrawing(String)
    case stopped(String, project: String)
}

extension ProvisionRejection: CustomStringConvertible {
    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .unknown: "nothing was provisioned by that name: `finops upstream list` shows what the gateway calls"
        case .unknownProject(let project, let known):
            AdministrationRejection.unknownProject(project, known: known).description
        case .upstreamExists(let name):
            "there is an upstream \"\(name)\" with a key of its own: give another name with --upstream"
        case .isAnothers(let name, let project, let account):
            "\"\(name)\" was provisioned for project \"\(project)\" in account \"\(account)\": give another --upstream"
        case .withdrawing(let name):
            "\"\(name)\" is being taken back: finish that with `finops project deprovision --upstream \(name) --yes`"
        case .stopped(let name, _):
            "the key of \"\(name)\" was deleted in an emergency, and its provider project may be capped: take it back "
                + "with `finops project deprovision --upstream \(name) --yes`, then provision it anew"
        }
    }
}
