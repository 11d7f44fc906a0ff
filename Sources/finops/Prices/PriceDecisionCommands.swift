import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Vault

extension PriceCommand {
    struct Pending: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists changes of prices that wait for a second person, and corrections that were stopped.",
            discussion: "Example: finops price pending --json")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let log: some EventReader = .local(of: try options.initialisedDirectory())
            let proposals = try await log.fold(.priceProposals, with: PriceProposals.self).state
            var table = Table([
                .init("id"), .init("state"), .init("time"), .init("actor"), .init("models"), .init("jumps"),
                .init("reason"),
            ])
            for proposal in proposals where proposal.outcome == nil {
                let event = proposal.event
                table.rows.append([
                    .string(event.id), "proposed", .string(proposal.at.rfc3339Seconds), .string(proposal.by),
                    .string(event.changes.map { "\($0.provider)/\($0.model)" }.joined(separator: " ")),
                    .string(event.jumps.map(\.sentence).joined(separator: "; ")), .string(event.reason),
                ])
            }
            for started in try await log.ledger().state.open {
                table.rows.append([
                    .string(started.id), "stopped", .null, .null,
                    .string(started.provider + (started.model.isEmpty ? "" : "/\(started.model)")), .null,
                    .string(started.reason),
                ])
            }
            try table.write(options.json ? .json : .table)
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Answers somebody else's proposal: its prices are taken, its correction is carried out.",
            discussion: """
                Only an administrator may, and never who proposed it. If a correction was stopped, again goes on with it.
                Example: finops price approve price-0192f3a4… --reason "seen on the invoice" --as 5f2a… --token-file token
                """)

        @Argument(help: "The proposal's id.") var id: String
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try options.checkReason()
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let administrators = try await Person.administrators(in: vault)
                do {
                    let outcome = try await PriceDesk.approve(id, administrators, reason: options.reason, in: session)
                    if outcome.correction != nil { return try await session.answer(to: outcome) }
                    let repriced = try await Repricing.firstPrices(in: session)
                    return Answer(
                        changed: outcome.hasChanged, "\(id) is approved: \(outcome.models.joined(separator: ", "))",
                        outcome.members + repriced.members)
                } catch let rejection as PriceProposalRejection {
                    guard rejection == .notAdministrator || rejection == .own(id) else { throw rejection }
                    throw CommandFailure(.notAuthorised, rejection.description)
                }
            }
            try answer.print(options.global)
        }
    }

    struct Reject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends a proposal: its prices are not taken. Who proposed it may take it back so.",
            discussion: "Example: finops price reject price-0192f3a4… --reason \"a typing error\"")

        @Argument(help: "The proposal's id.") var id: String
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try options.checkReason()
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let events = try await session.decide(
                    PriceProposals.self, on: .priceProposals,
                    .init(.reject(id, reason: options.reason), by: session.actor, at: session.now))
                return Answer(changed: !events.isEmpty, "\(id) is rejected", [.init("id", .string(id))])
            }
            try answer.print(options.global)
        }
    }
}

extension PriceDesk {
    /// Takes what somebody else proposed: the prices, the approval and the beginning of a correction in one append.
    /// - Throws: `PriceProposalRejection`; `StoreError`; `UndecodableEvent`.
    static func approve(
        _ id: String, _ administrators: Swift.Set<String>, reason: String, in session: AdministrationSession
    ) async throws -> Outcome {
        try await session.undisturbed {
            let shelf = try await PriceShelf.read(from: session.store)
            let (state, version) = try await session.store.fold(.priceProposals, with: PriceProposals.self)
            let command = PriceProposals.Command.Change.approve(
                id, administrators: administrators, catalogue: shelf.catalogue, reason: reason)
            let events = try PriceProposals.decide(.init(command, by: session.actor, at: session.now), state)
            guard let proposed = state.first(where: { $0.event.id == id })?.event else { return Outcome() }
            var outcome = Outcome()
            if proposed.hasCorrection { outcome.correction = proposed.correction }
            // Approved before: a correction that was stopped goes on, one that ended finds nothing to do.
            guard !events.isEmpty else { return outcome }
            outcome.taken = proposed.approvedChanges
            var appends = shelf.appends(of: outcome.taken, in: session)
            appends.append(
                StreamAppend(.priceProposals, expected: .exactly(version), session.named(events.map(\.event))))
            if proposed.hasCorrection {
                let started = session.named([.priceCorrectionStarted(proposed.correction)])
                appends.append(StreamAppend(.corrections, started))
            }
            try await session.append(appends)
            return outcome
        }
    }
}
