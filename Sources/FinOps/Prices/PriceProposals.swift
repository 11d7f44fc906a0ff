package import EventLog
import SwiftProtobuf

/// Changes of prices that wait for a second person. The stream is `proposal-prices`.
package enum PriceProposals: Decider {
    /// A change, who wants it, and what became of it.
    package struct Proposal: Equatable, Sendable {
        package var event: WirePriceChangeProposed
        /// Opaque id of the person.
        package var by: String
        package var at: Timestamp
        /// nil while it waits.
        package var outcome: Outcome?
    }

    /// The second person's answer.
    package enum Outcome: String, Sendable {
        case approved, rejected
    }

    /// In the order of their coming.
    package typealias State = [Proposal]

    /// What is asked for, by whom and when.
    package struct Command: Sendable {
        package enum Change: Sendable {
            case propose(WirePriceChangeProposed)
            /// - Parameters:
            ///   - administrators: all there are.
            ///   - catalogue: as it is now.
            case approve(String, administrators: Set<String>, catalogue: PriceCatalogue, reason: String)
            case reject(String, reason: String)
        }

        package var change: Change
        /// Opaque id of the person.
        package var actor: String
        package var now: Timestamp

        package init(_ change: Change, by actor: String, at now: Timestamp) {
            self.change = change
            self.actor = actor
            self.now = now
        }
    }

    package static var initialState: State { [] }

    package static func evolve(_ state: inout State, _ event: ActedEvent) {
        switch event.event {
        case .priceChangeProposed(let proposed):
            state.append(Proposal(event: proposed, by: event.actor, at: event.at))
        case .priceChangeApproved(let approved): settle(&state, approved.id, .approved)
        case .priceChangeRejected(let rejected): settle(&state, rejected.id, .rejected)
        default: break
        }
    }

    private static func settle(_ state: inout State, _ id: String, _ outcome: Outcome) {
        for index in state.indices where state[index].event.id == id { state[index].outcome = outcome }
    }

    /// - Returns: what belongs into this stream; what an approval changes is in the proposal. Nothing if the same person has
    ///   proposed just that already, or it is settled so already.
    package static func decide(_ command: Command, _ state: State) throws(PriceProposalRejection) -> [ActedEvent] {
        switch command.change {
        case .propose(let proposed):
            guard state.waiting(like: proposed, by: command.actor) == nil else { return [] }
            return [command.event(.priceChangeProposed(proposed))]
        case .approve(let id, let administrators, let catalogue, let reason):
            guard let proposal = state.first(where: { $0.event.id == id }) else { throw .unknown(id) }
            guard !reason.isEmpty else { throw .reasonMissing }
            guard proposal.outcome != .rejected else { throw .rejected(id) }
            guard proposal.by != command.actor else { throw .own(id) }
            guard administrators.contains(command.actor) else { throw .notAdministrator }
            if proposal.outcome == .approved { return [] }
            for basis in proposal.event.basis
            where catalogue.basis(provider: basis.provider, model: basis.model.isEmpty ? nil : basis.model)
                != basis.version
            {
                throw .outdated(id, "\(basis.provider)/\(basis.model)")
            }
            return [
                command.event(
                    .priceChangeApproved(
                        .with {
                            $0.id = id
                            $0.reason = reason
                        }))
            ]
        case .reject(let id, let reason):
            guard let proposal = state.first(where: { $0.event.id == id }) else { throw .unknown(id) }
            guard !reason.isEmpty else { throw .reasonMissing }
            guard proposal.outcome != .approved else { throw .approved(id) }
            if proposal.outcome == .rejected { return [] }
            return [
                command.event(
                    .priceChangeRejected(
                        .with {
                            $0.id = id
                            $0.reason = reason
                        }))
            ]
        }
    }
}

extension [PriceProposals.Proposal] {
    /// The same asked for by the same person, and not answered yet.
    package func waiting(like proposed: WirePriceChangeProposed, by actor: String) -> PriceProposals.Proposal? {
        first { $0.outcome == nil && $0.by == actor && $0.event.asksForTheSame(as: proposed) }
    }
}

extension WirePriceChangeProposed {
    /// - Parameters:
    ///   - plan: what it holds back is proposed.
    ///   - catalogue: what it was planned on.
    package init(
        id: String, _ plan: PricePlan, of catalogue: PriceCatalogue, correction: WirePriceCorrectionStarted?,
        reason: String
    ) {
        self.init()
        self.id = id
        self.reason = reason
        if let correction { self.correction = correction }
        for event in plan.proposed {
            guard let (provider, model) = event.priceSubject else { continue }
            switch event {
            case .priceChanged(let change): changes.append(change)
            case .priceDefaultsChanged(let change): defaults.append(change)
            default: continue
            }
            basis.append(
                .with {
                    $0.provider = provider
                    $0.model = model ?? ""
                    $0.version = catalogue.basis(provider: provider, model: model)
                })
        }
        jumps = plan.jumps.map { jump in
            .with {
                $0.provider = jump.provider
                $0.model = jump.model
                $0.name = jump.name
                $0.before = jump.before.plainText
                $0.after = jump.after.plainText
                if let from = jump.from { $0.from = from.description }
            }
        }
    }

    /// What becomes true with its approval.
    package var approvedChanges: [FinOpsEvent] {
        changes.map { .priceChanged($0) } + defaults.map { .priceDefaultsChanged($0) }
    }

    fileprivate func asksForTheSame(as other: WirePriceChangeProposed) -> Bool {
        func essence(_ proposed: WirePriceChangeProposed) -> WirePriceChangeProposed {
            var proposed = proposed
            proposed.id = ""
            proposed.reason = ""
            if proposed.hasCorrection {
                proposed.correction.id = ""
                proposed.correction.reason = ""
            }
            for index in proposed.changes.indices {
                proposed.changes[index].reason = ""
                // It names the day of the asking.
                proposed.changes[index].version = ""
            }
            for index in proposed.defaults.indices { proposed.defaults[index].reason = "" }
            return proposed
        }
        return essence(self) == essence(other)
    }
}

extension PriceProposals.Command {
    fileprivate func event(_ event: FinOpsEvent) -> ActedEvent { ActedEvent(event, by: actor, at: now) }
}

/// Why something is refused that was asked of a proposal.
package enum PriceProposalRejection: Error, Hashable, Sendable, CustomStringConvertible {
    case unknown(String)
    case reasonMissing
    case own(String)
    case notAdministrator
    case rejected(String)
    case approved(String)
    /// - Parameter subject: whose prices are others now.
    case outdated(String, _ subject: String)

    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .unknown(let id): "there is no proposal \(id): `finops price pending` shows which there are"
        case .reasonMissing: "--reason is missing: say why, for whoever reads the audit log"
        case .own(let id): "who proposed \(id) cannot approve it: another administrator has to (`finops person list`)"
        case .notAdministrator: "only an administrator may approve that: `finops person list` shows who is one"
        case .rejected(let id): "\(id) was rejected: propose it again with `finops price set` or `import`"
        case .approved(let id): "\(id) was approved already: change the prices again with `finops price set`"
        case .outdated(let id, let subject):
            "the prices of \(subject) have changed since \(id) was proposed: reject it and propose it again"
        }
    }
}
