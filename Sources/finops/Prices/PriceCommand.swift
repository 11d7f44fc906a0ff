import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// The price catalogue.
struct PriceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "price", abstract: "Prices of models: dated, previewed, corrected; large jumps take two people.",
        subcommands: [
            List.self, Set.self, Import.self, Preview.self, Correct.self, Pending.self, Approve.self, Reject.self,
        ])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes over what a price file says differently, model by model.",
            discussion: """
                What is collected afterwards is priced by it, and so is what had no price until now; rows that have a \
                price keep it (`finops price correct` changes the past). A model that the file does not name stays as \
                it is. Models whose prices become more than 5 times as high or as low wait for a second person: \
                `finops price pending`.
                Example: finops price import prices.json --reason "contract of November"
                """)

        @Argument(help: "File in the format of the seed catalogue (models, match, prices).", completion: .file())
        var file: String
        @Flag(help: "Show what would change, and change nothing.") var dryRun = false
        @OptionGroup var options: AdministrationOptions

        private static let fileBytes = 64 << 20

        func run() async throws {
            let prices = try Self.read(file)
            if dryRun { return try await preview(prices) }
            let answer = try await AdministrationSession.run(options.global) { session in
                let outcome = try await PriceDesk.take(in: session, reason: options.reason) {
                    PriceDiff.events(from: $0.catalogue, to: prices, reason: options.reason)
                }
                let repriced = try await Repricing.firstPrices(in: session)
                return self.answer(to: outcome, repriced)
            }
            try answer.print(options.global)
        }

        private func preview(_ prices: PriceFile) async throws {
            let log: some EventReader = .local(of: try options.global.initialisedDirectory())
            let catalogue = try await PriceShelf.read(from: log).catalogue
            let changes = PriceDiff.events(from: catalogue, to: prices, reason: options.reason)
            try answer(to: PriceDesk.Outcome(taken: changes), nil).print(options.global)
        }

        private func answer(to outcome: PriceDesk.Outcome, _ repriced: Repricing?) -> Answer {
            let (models, rows, calls) = (outcome.models.count, repriced?.rows ?? 0, repriced?.calls ?? 0)
            let sentence =
                "models with \(dryRun ? "other prices than now" : "new prices"): \(models); general rules: "
                + "\(outcome.taken.count - models); rows that got their first price: \(rows)"
                + (calls > 0 ? "; calls: \(calls)" : "")
            return Answer(
                changed: outcome.hasChanged || rows + calls > 0,
                ([sentence] + outcome.waiting).joined(separator: "\n"),
                outcome.members + [
                    .init("repriced_rows", .integer(rows)), .init("repriced_calls", .integer(calls)),
                    .init("dry_run", .bool(dryRun)),
                ])
        }

        static func read(_ file: String) throws -> PriceFile {
            let data = try givenFile(file, limit: fileBytes)
            do { return try PriceFile(data) } catch { throw CommandFailure(.failure, "\(file): \(error)") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists prices in USD per 1,000,000 tokens as they are today (UTC).",
            discussion: """
                "until" is the day on which other prices begin that are listed already.
                Example: finops price list --provider openai --model gpt-4o-mini
                """)

        @Option(help: "Only this provider.") var provider: String?
        @Option(help: "Only models whose name begins so.") var model: String?
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let today = Day(utc: try PipelineClock.load(from: directory).now())
            let catalogue = try await PriceShelf.read(from: .local(of: directory)).catalogue
            var table = Table([
                .init("provider"), .init("model"), .init("input", .right),
                .init("cached_input", title: "cached", .right), .init("output", .right), .init("from"),
                .init("until"), .init("version"), .init("source"),
            ])
            for entry in catalogue.entries {
                if let provider, entry.provider != provider { continue }
                if let model, !entry.model.hasPrefix(model) { continue }
                let period = entry.periods.last { $0.from.map { $0 <= today } ?? true }
                let next = entry.periods.compactMap(\.from).first { $0 > today }
                func price(_ name: String) -> JSONValue { JSONValue(period?.prices[name]?.plainText) }
                table.rows.append([
                    .string(entry.provider), .string(entry.model), price("input"), price("cached_input"),
                    price("output"), JSONValue(period?.from?.description), JSONValue(next?.description),
                    .string(entry.version),
                    .string(entry.source),
                ])
            }
            try table.write(options.json ? .json : .table)
        }
    }
}
