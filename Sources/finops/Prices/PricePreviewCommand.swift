import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

extension PriceCommand {
    struct Preview: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what prices would make of the last 7 days, and changes nothing.",
            discussion: """
                Takes a price file or the arguments of `finops price set`. "now" is what the rows cost as they stand, \
                "then" what they would cost, as if the new prices had been in force. Metered rows and calls through \
                gateways stand apart, since both may be the same consumption. What would wait for a second person is \
                named. Examples:
                  finops price preview prices.json
                  finops price preview --provider openai --model gpt-4o --input 2.50 --json
                """)

        @Argument(help: "File in the format of the seed catalogue (models, match, prices).", completion: .file())
        var file: String?
        @OptionGroup var setting: PriceSettingOptions
        @OptionGroup var options: GlobalOptions

        func validate() throws {
            guard (file == nil) != setting.isEmpty else {
                throw ValidationError("give a file, or --provider, --model and prices")
            }
        }

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let today = Day(utc: try PipelineClock.load(from: directory).now())
            let log: some EventReader = .local(of: directory)
            let catalogue = try await PriceShelf.read(from: log).catalogue
            let changes = try changes(of: catalogue, today: today)
            let plan = PricePlan(changes, of: catalogue)
            let effect = try await PriceEffectAnswer.ofLastDays(changes, of: catalogue, today: today, in: log)
            if options.json {
                let models = changes.compactMap { event in
                    event.priceSubject.map { JSONValue.string($0.provider + ($0.model.map { "/\($0)" } ?? "")) }
                }
                let from = today.advanced(by: 1 - PriceEffectAnswer.days)
                let members: [JSONValue.Member] = [
                    .init("from", .string("\(from)")), .init("to", .string("\(today)")),
                    .init("models", .array(models)), .init("needs_second_person", .bool(!plan.jumps.isEmpty)),
                    .init("jumps", .array(plan.jumps.map(\.object))),
                ]
                return try Output.line(JSONValue.object(members + effect.members).text)
            }
            try effect.table.write(.table)
            if !plan.jumps.isEmpty {
                Output.message(
                    (["more than 5 times as high or as low, so a second person would have to want it:"]
                        + plan.jumps.map { "  \($0)" }).joined(separator: "\n"))
            }
        }

        private func changes(of catalogue: PriceCatalogue, today: Day) throws -> [FinOpsEvent] {
            if let file { return PriceDiff.events(from: catalogue, to: try Import.read(file), reason: "") }
            let setting = try setting.setting(catalogue, today: today)
            return setting.change(in: catalogue, today: today, reason: "").map { [.priceChanged($0)] } ?? []
        }
    }
}

extension PriceJump {
    fileprivate var object: JSONValue {
        [
            "provider": .string(provider), "model": .string(model), "price": .string(name),
            "before": .string(before.plainText), "after": .string(after.plainText),
            "from": JSONValue(from?.description),
        ]
    }
}
