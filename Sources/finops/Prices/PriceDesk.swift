import EventLog
import FinOps
import JSON
import Runtime

/// Takes changes of prices into the log, whole: what jumps as a proposal, the rest at once.
enum PriceDesk {
    struct Outcome {
        var taken: [FinOpsEvent] = []
        /// What waits for a second person.
        var proposal: WirePriceChangeProposed?
        /// Whether it was proposed now rather than before.
        var isNewProposal = false
        /// What is to be repriced now; nil for a change that is no correction, or waits, or finds nothing.
        var correction: WirePriceCorrectionStarted?
        /// Whether a correction was asked for that has nothing to correct.
        var findsNothing = false

        var hasChanged: Bool { !taken.isEmpty || isNewProposal }
    }

    /// - Parameters:
    ///   - scope: what a correction reaches; nil for a change that reprices nothing that has a price.
    ///   - changes: `price.changed` and `price.defaults-changed`, from the catalogue as it is.
    /// - Throws: `StoreError`; `UndecodableEvent`; what `changes` throws.
    static func take(
        in session: AdministrationSession, reason: String, correcting scope: PriceScope? = nil,
        _ changes: (PriceShelf) throws -> [FinOpsEvent]
    ) async throws -> Outcome {
        try await session.undisturbed {
            let shelf = try await PriceShelf.read(from: session.store)
            let plan = PricePlan(try changes(shelf), of: shelf.catalogue)
            var outcome = Outcome(taken: plan.taken)
            var appends = shelf.appends(of: plan.taken, in: session)
            let started = scope.map { WirePriceCorrectionStarted(id: session.newID("correction"), $0, reason: reason) }
            if !plan.proposed.isEmpty {
                let proposed = WirePriceChangeProposed(
                    id: session.newID("price"), plan, of: shelf.catalogue, correction: started, reason: reason)
                appends += try await propose(proposed, in: session, &outcome)
            } else if let scope, let started {
                appends += try await begin(started, scope, shelf, in: session, &outcome)
            }
            if !appends.isEmpty { try await session.append(appends) }
            return outcome
        }
    }

    /// A correction that was stopped goes on. With prices of its own it begins whatever there is: what is recorded meanwhile
    /// by the old ones belongs to it as well.
    private static func begin(
        _ started: WirePriceCorrectionStarted, _ scope: PriceScope, _ shelf: PriceShelf,
        in session: AdministrationSession, _ outcome: inout Outcome
    ) async throws -> [StreamAppend] {
        let (ledger, version) = try await session.store.ledger()
        outcome.correction = ledger.open(scope)
        if outcome.correction != nil { return [] }
        if outcome.taken.isEmpty, try await !Repricing.finds(started, scope, in: session, shelf.catalogue) {
            outcome.findsNothing = true
            return []
        }
        outcome.correction = started
        return [
            StreamAppend(
                .corrections, expected: .exactly(version), session.named([.priceCorrectionStarted(started)]))
        ]
    }

    private static func propose(
        _ proposed: WirePriceChangeProposed, in session: AdministrationSession, _ outcome: inout Outcome
    ) async throws -> [StreamAppend] {
        let (state, version) = try await session.store.fold(.priceProposals, with: PriceProposals.self)
        outcome.proposal = state.waiting(like: proposed, by: session.actor)?.event ?? proposed
        let events = try PriceProposals.decide(
            .init(.propose(proposed), by: session.actor, at: session.now), state)
        outcome.isNewProposal = !events.isEmpty
        guard !events.isEmpty else { return [] }
        return [StreamAppend(.priceProposals, expected: .exactly(version), session.named(events.map(\.event)))]
    }
}

extension PriceDesk.Outcome {
    var models: [String] {
        taken.compactMap { event in
            if case .priceChanged(let change) = event { "\(change.provider)/\(change.model)" } else { nil }
        }
    }

    /// What waits, in words; empty where nothing does.
    var waiting: [String] {
        guard let proposal else { return [] }
        return ["more than 5 times as high or as low, so a second person has to want it:"]
            + proposal.jumps.map { "  \($0.sentence)" }
            + ["an administrator other than you: finops price approve \(proposal.id) --reason TEXT"]
    }

    var members: [JSONValue.Member] {
        [
            .init("models", .array(models.map(JSONValue.string))), .init("events", .integer(taken.count)),
            .init("proposal", JSONValue(proposal?.id)),
            .init("jumps", .array((proposal?.jumps ?? []).map(\.object))),
        ]
    }
}

extension WirePriceChangeProposed.Jump {
    var sentence: String {
        "\(provider)/\(model) \(name): \(before) → \(after)" + (hasFrom ? " from \(from)" : "")
    }

    var object: JSONValue {
        [
            "provider": .string(provider), "model": .string(model), "price": .string(name), "before": .string(before),
            "after": .string(after), "from": hasFrom ? .string(from) : .null,
        ]
    }
}

extension EventReader {
    /// What is being repriced, and the version of the ledger that says so.
    func ledger() async throws -> (state: CorrectionLedger.State, version: StreamVersion) {
        var state = CorrectionLedger.State()
        let version = try await forEach(in: .corrections) { event, _ in state.evolve(event) }
        return (state, version)
    }
}

extension AdministrationSession {
    /// A new id, such as `price-0192f3a4…`.
    nonisolated func newID(_ kind: String) -> String {
        var random = SystemRandomNumberGenerator()
        return "\(kind)-" + EventID.v7(at: now, using: &random).description.filter { $0 != "-" }
    }
}
