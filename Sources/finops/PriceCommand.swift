import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// The price catalogue.
struct PriceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "price", abstract: "Imports and lists prices of models.", subcommands: [Import.self, List.self])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes over what a price file says differently, model by model.",
            discussion: """
                What is collected afterwards is priced by it, and so is what had no price until now; rows that have a price keep
                it. A model that the file does not name stays as it is.
                Example: finops price import prices.json --reason "contract of November"
                """)

        @Argument(help: "File in the format of the seed catalogue (models, match, prices).", completion: .file())
        var file: String
        @Flag(help: "Show what would change, and change nothing.") var dryRun = false
        @OptionGroup var options: AdministrationOptions

        private static let fileBytes = 64 << 20

        func run() async throws {
            let prices = try Self.read(file)
            if dryRun {
                let log: some EventReader = .local(of: try options.global.initialisedDirectory())
                let shelf = try await PriceShelf.read(from: log)
                let events = PriceDiff.events(from: shelf.catalogue, to: prices, reason: options.reason)
                return try answer(to: events, repriced: 0).print(options.global)
            }
            let answer = try await AdministrationSession.run(options.global) { session in
                let events = try await PriceShelf.take(prices, reason: options.reason, in: session)
                let repriced = try await Repricing.run(in: session)
                return self.answer(to: events, repriced: repriced)
            }
            try answer.print(options.global)
        }

        private func answer(to events: [FinOpsEvent], repriced: Int) -> Answer {
            let models = events.compactMap { event -> String? in
                if case .priceChanged(let change) = event { "\(change.provider)/\(change.model)" } else { nil }
            }
            return Answer(
                changed: !events.isEmpty || repriced > 0,
                "models with \(dryRun ? "other prices than now" : "new prices"): \(models.count); general rules: "
                    + "\(events.count - models.count); rows that got their first price: \(repriced)",
                [
                    .init("models", .array(models.map(JSONValue.string))), .init("events", .integer(events.count)),
                    .init("repriced_rows", .integer(repriced)), .init("dry_run", .bool(dryRun)),
                ])
        }

        private static func read(_ file: String) throws -> PriceFile {
            let data = try givenFile(file, limit: fileBytes)
            do { return try PriceFile(data) } catch { throw CommandFailure(.failure, "\(file): \(error)") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists prices in USD per 1,000,000 tokens as they are today (UTC).",
            discussion: "Example: finops price list --provider openai --model gpt-4o-mini")

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
                .init("version"), .init("source"),
            ])
            for entry in catalogue.entries {
                if let provider, entry.provider != provider { continue }
                if let model, !entry.model.hasPrefix(model) { continue }
                let period = entry.periods.last { $0.from.map { $0 <= today } ?? true }
                func price(_ name: String) -> JSONValue { JSONValue(period?.prices[name]?.plainText) }
                table.rows.append([
                    .string(entry.provider), .string(entry.model), price("input"), price("cached_input"),
                    price("output"), JSONValue(period?.from?.description), .string(entry.version),
                    .string(entry.source),
                ])
            }
            try table.write(options.json ? .json : .table)
        }
    }
}
