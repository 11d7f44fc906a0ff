import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

extension PriceCommand {
    struct Correct: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Corrects prices that were wrong in the past, and reprices what has a price already.",
            discussion: """
                Counts never change; each cost that does is an event with both values, the reason and the correction's \
                id: `reporter corrections`. `reporter costs --as-of` an earlier moment still gives the old figure. \
                Without prices, what the price list says now is applied to the days, for one model or all of the \
                provider; if that changes no cost, nothing is written. If it is stopped, the same command goes on \
                where it was. A jump of more than 5 times waits for a second person. Examples:
                  finops price correct --provider openai --model gpt-4o --from 2026-11-01 --input 2.50 --reason "invoice 7"
                  finops price correct --provider openai --from 2026-11-01 --to 2026-11-15 --reason "import of the 16th"
                """)

        @OptionGroup var setting: PriceSettingOptions
        @Flag(help: "Show what would change, and change nothing.") var dryRun = false
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            guard setting.from != nil else {
                throw ValidationError("--from is missing: the first UTC day whose prices were wrong, or beginning")
            }
        }

        func run() async throws {
            if !dryRun { try options.checkReason() }
            let provider = try setting.providerName()
            let hasPrices = try !setting.prices().isEmpty
            let model = setting.model == nil && !hasPrices ? nil : try setting.modelName()
            if dryRun { return try await preview(provider, model, hasPrices) }
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let shelf = try await PriceShelf.read(from: session.store)
                let today = Day(utc: session.now)
                let scope = try scope(provider, model, shelf.catalogue, hasPrices)
                let outcome = try await PriceDesk.take(in: session, reason: options.reason, correcting: scope) {
                    try changes(of: $0.catalogue, hasPrices, today: today)
                }
                return try await session.answer(to: outcome)
            }
            try answer.print(options.global)
        }

        private func changes(of catalogue: PriceCatalogue, _ hasPrices: Bool, today: Day) throws -> [FinOpsEvent] {
            guard hasPrices else { return [] }
            let setting = try setting.setting(catalogue, today: today)
            return setting.change(in: catalogue, today: today, reason: options.reason).map { [.priceChanged($0)] } ?? []
        }

        /// Without a last day, new prices reach to the next dated one, as `PriceSetting` lets them.
        private func scope(
            _ provider: String, _ model: String?, _ catalogue: PriceCatalogue, _ hasPrices: Bool
        ) throws -> PriceScope {
            let from = setting.from?.day
            guard let model else {
                return PriceScope(provider: provider, model: nil, from: from, through: setting.to?.day)
            }
            guard let entry = catalogue.match(provider: provider, model: model)?.entry else {
                guard hasPrices else {
                    throw CommandFailure(
                        .usage,
                        "--model: the price list of \(provider) has no price for \(model): give one with --input …")
                }
                return PriceScope(provider: provider, model: model, from: from, through: setting.to?.day)
            }
            let next = entry.periods.compactMap(\.from).filter { day in from.map { $0 < day } ?? true }.min()
            // With prices of its own the name becomes an entry; without, the one that prices it is meant.
            return PriceScope(
                provider: hasPrices ? provider : entry.provider, model: hasPrices ? model : entry.model, from: from,
                through: setting.to?.day ?? (hasPrices ? next?.advanced(by: -1) : nil))
        }

        private func preview(_ provider: String, _ model: String?, _ hasPrices: Bool) async throws {
            let directory = try options.global.initialisedDirectory()
            let today = Day(utc: try PipelineClock.load(from: directory).now())
            let log: some EventReader = .local(of: directory)
            let catalogue = try await PriceShelf.read(from: log).catalogue
            let changes = try changes(of: catalogue, hasPrices, today: today)
            let effect = try await PriceEffectAnswer.ofCorrection(
                try scope(provider, model, catalogue, hasPrices), changes, of: catalogue, in: log)
            guard options.global.json else { return try effect.table.write(.table) }
            let jumps = PricePlan(changes, of: catalogue).jumps
            try Output.line(
                JSONValue.object(
                    [.init("changed", false), .init("needs_second_person", .bool(!jumps.isEmpty))] + effect.members
                ).text)
        }
    }
}

extension AdministrationSession {
    /// Carries out what a correction decided, and says what became of it.
    nonisolated func answer(to outcome: PriceDesk.Outcome) async throws -> Answer {
        if outcome.findsNothing {
            return Answer(
                changed: false,
                "nothing was written: everything of these days costs what the price list says already",
                outcome.members + [
                    .init("repriced_rows", 0), .init("repriced_calls", 0), .init("correction", .null),
                    .init("difference", .string(NanoText.text(0))), .init("difference_nano", 0),
                ])
        }
        guard let correction = outcome.correction else {
            return Answer(
                changed: outcome.hasChanged, outcome.waiting.joined(separator: "\n"),
                outcome.members + [.init("correction", .null)])
        }
        let repriced = try await Repricing.correct(correction, in: self)
        let hasChanged = outcome.hasChanged || repriced.rows + repriced.calls > 0
        return Answer(
            changed: hasChanged,
            "repriced: \(repriced.rows) rows and \(repriced.calls) calls, \(NanoText.text(repriced.difference)) USD in all; "
                + "reporter corrections shows them",
            outcome.members + repriced.members + [
                .init("correction", .string(correction.id)),
                .init("difference", .string(NanoText.text(repriced.difference))),
                .init("difference_nano", .integer(repriced.difference)),
            ])
    }
}
