import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

extension PriceCommand {
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets prices of one model from a day on.",
            discussion: """
                Prices are USD per 1,000,000 tokens, exact. What had no price gets one; what has one keeps it (`finops \
                price correct` changes the past). The effect on the last 7 days is shown as if the prices had been in \
                force. A price that becomes more than 5 times what it is, or less than a fifth, waits for a second \
                person: `finops price pending`. Examples:
                  finops price set --provider openai --model gpt-4o --input 2.50 --output 10 --reason "contract"
                  finops price set --provider openai --model gpt-4o --price batch_input=1 --from 2026-12-01 --reason new
                """)

        @OptionGroup var setting: PriceSettingOptions
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try options.checkReason()
            let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                let today = Day(utc: session.now)
                func changes(_ catalogue: PriceCatalogue) throws -> [FinOpsEvent] {
                    let setting = try setting.setting(catalogue, today: today)
                    return setting.change(in: catalogue, today: today, reason: options.reason).map {
                        [.priceChanged($0)]
                    } ?? []
                }
                let catalogue = try await PriceShelf.read(from: session.store).catalogue
                let effect = try await PriceEffectAnswer.ofLastDays(
                    try changes(catalogue), of: catalogue, today: today, in: session.store)
                let outcome = try await PriceDesk.take(in: session, reason: options.reason) {
                    try changes($0.catalogue)
                }
                return try await Self.answer(to: outcome, effect, in: session)
            }
            try answer.print(options.global)
        }

        private static func answer(
            to outcome: PriceDesk.Outcome, _ effect: PriceEffectAnswer, in session: AdministrationSession
        ) async throws -> Answer {
            let repriced = try await Repricing.firstPrices(in: session)
            var lines = outcome.models.map { "\($0) has new prices" }
            if outcome.taken.isEmpty, outcome.proposal == nil { lines = ["the price list says so already"] }
            lines += outcome.waiting
            if !effect.lines.isEmpty {
                lines += ["the last \(PriceEffectAnswer.days) days, as if they had been in force:"] + effect.sentences
            }
            if repriced.rows + repriced.calls > 0 {
                lines.append("got their first price: \(repriced.rows) rows, \(repriced.calls) calls")
            }
            return Answer(
                changed: outcome.hasChanged || repriced.rows + repriced.calls > 0, lines.joined(separator: "\n"),
                outcome.members + repriced.members + effect.members)
        }
    }
}

extension Repricing {
    var members: [JSONValue.Member] {
        [.init("repriced_rows", .integer(rows)), .init("repriced_calls", .integer(calls))]
    }
}
