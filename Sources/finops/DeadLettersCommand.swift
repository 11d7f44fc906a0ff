import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// Events that a program put aside because it failed on them.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Lists, retries and skips events that a program failed on.",
        subcommands: [List.self, Retry.self, Skip.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists what is put aside; what failed again after a retry is put aside again.",
            discussion: "Example: finops dead-letters list --all --dir D")

        @Flag(help: "Also what was tried again or skipped since.") var all = false
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let log: some EventReader = .local(of: try options.initialisedDirectory())
            var table = Table([
                .init("stage"), .init("position", .right), .init("stream"), .init("type"), .init("attempts", .right),
                .init("state"), .init("error"), .init("reason"),
            ])
            for summary in try await log.allStreams(prefix: "failures-") {
                let box = try await log.fold(summary.stream, with: DeadLetterBox.self).state
                for (position, letter) in box.sorted(by: { $0.key < $1.key }) where all || letter.state == .parked {
                    table.rows.append([
                        .string(letter.failure.stage), .integer(position), .string(letter.failure.stream),
                        .string(letter.failure.type), .integer(letter.failure.attempts),
                        .string(letter.state.rawValue), .string(letter.failure.error), .string(letter.reason),
                    ])
                }
            }
            try table.write(options.json ? .json : .table)
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a program try an event again.",
            discussion:
                "Example: finops dead-letters retry --stage attributor --position 4711 --reason \"fixed in 1.2\"")

        @Option(help: "The program that put it aside.") var stage: String
        @Option(help: "The event's position in the log.") var position: UInt64
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try await DeadLettersCommand.change(
                .retry(stage: stage, position: position, reason: options.reason), stage: stage, position: position,
                outcome: "is tried again", options.global)
        }
    }

    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a program go on without an event. A skipped charge is a wrong bill: say why.",
            discussion: "Example: finops dead-letters skip --stage projector --position 4711 --reason \"test data\"")

        @Option(help: "The program that put it aside.") var stage: String
        @Option(help: "The event's position in the log.") var position: UInt64
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            if options.reason.isEmpty { throw ValidationError("--reason is missing: a skipped event needs one") }
        }

        func run() async throws {
            try await DeadLettersCommand.change(
                .skip(stage: stage, position: position, reason: options.reason), stage: stage, position: position,
                outcome: "is skipped", options.global)
        }
    }

    private static func change(
        _ command: DeadLetterBox.Command, stage: String, position: UInt64, outcome: String, _ options: GlobalOptions
    ) async throws {
        let stage = try givenName(stage, field: "--stage")
        let answer = try await AdministrationSession.run(options) { session in
            let events = try await session.decide(DeadLetterBox.self, on: .failures(stage: stage.text), command)
            return Answer(
                changed: !events.isEmpty, "event \(position) \(outcome) by \(stage)",
                [.init("stage", .string(stage.text)), .init("position", .integer(position))])
        }
        try answer.print(options)
    }
}
