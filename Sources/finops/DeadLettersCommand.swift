import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// Events that a program put aside because it failed on them, and messages that the notifier gave up on.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Lists, retries and skips events that a program failed on and messages that were not delivered.",
        subcommands: [List.self, Retry.self, Skip.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists what is put aside; what failed again after a retry is put aside again.",
            discussion: "Example: finops dead-letters list --all --dir D")

        @Flag(help: "Also what was tried again or skipped since.") var all = false
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let log: some EventReader = .local(of: directory)
            let now = try PipelineClock.load(from: directory).now()
            var table = Table([
                .init("id"), .init("stage"), .init("position", .right), .init("stream"), .init("type"),
                .init("destination"), .init("attempts", .right), .init("state"),
                .init("since", title: "age", .right) { since in
                    since.string.flatMap(Timestamp.init(rfc3339:)).map { Self.age(of: $0, at: now) } ?? "–"
                }, .init("error"), .init("reason"),
            ])
            table.rows = try await log.deadLetters().filter { all || $0.state == .parked }.map(Self.cells)
            try table.write(options.json ? .json : .table)
        }

        private static func cells(_ letter: DeadLetter) -> [JSONValue] {
            let matter: (about: [JSONValue], attempts: UInt32, error: String) =
                switch letter.matter {
                case .event(let failure):
                    (
                        [
                            .string(failure.stage), .integer(failure.position), .string(failure.stream),
                            .string(failure.type), .null,
                        ], failure.attempts, failure.error
                    )
                case .message(let abandoned):
                    (
                        [
                            "notifier", .null, .string(letter.stream.text), "notification.abandoned",
                            .string(abandoned.destination),
                        ], abandoned.attempts, abandoned.reason
                    )
                }
            return [.string(letter.id)] + matter.about + [
                .integer(matter.attempts), .string(letter.state.rawValue), .string(letter.since.rfc3339Seconds),
                .string(matter.error), .string(letter.reason),
            ]
        }

        private static func age(of since: Timestamp, at now: Timestamp) -> String {
            let seconds = max(0, now.seconds - since.seconds)
            let units: [(seconds: Int64, name: String)] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
            let unit = units.first { seconds >= $0.seconds } ?? (1, "s")
            return "\(seconds / unit.seconds) \(unit.name)"
        }
    }

    /// What is meant: by its id, or, for an event, by program and position.
    struct Choice: ParsableArguments {
        @Argument(help: "The id as the list shows it, or its beginning, such as slack/0f7c.") var id: String?
        @Option(help: "Instead of an id: the program that put an event aside.") var stage: String?
        @Option(help: "Instead of an id: the event's position in the log.") var position: UInt64?

        func validate() throws {
            guard (stage == nil) == (position == nil), (id == nil) != (stage == nil) else {
                throw ValidationError("give either an id, or --stage and --position")
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a program try an event again, or the notifier send a message after all.",
            discussion: """
                Examples:
                  finops dead-letters retry slack/0f7c --reason "the webhook is back"
                  finops dead-letters retry --stage attributor --position 4711 --reason "fixed in 1.2"
                  finops dead-letters retry gateway-east/17 --reason "the log knows the type now"
                """)

        @OptionGroup var choice: Choice
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let directory = try options.global.initialisedDirectory()
            try await DeadLettersCommand.answer(
                choice, options,
                refused: { try await $0.deliver($1, of: directory, reason: options.reason) },
                event: { .retry(stage: $0, position: $1, reason: options.reason) }, "is tried again",
                message: { .retry(destination: $0, notification: $1, reason: options.reason) }, "is sent after all")
        }
    }

    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Lets a program go on without an event, or forgets a message. A skipped charge is a wrong bill: say why.",
            discussion: """
                Examples:
                  finops dead-letters skip slack/0f7c --reason "everybody knows by now"
                  finops dead-letters skip --stage projector --position 4711 --reason "test data"
                """)

        @OptionGroup var choice: Choice
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            if options.reason.isEmpty {
                throw ValidationError("--reason is missing: what is skipped needs one")
            }
        }

        func run() async throws {
            try await DeadLettersCommand.answer(
                choice, options,
                event: { .skip(stage: $0, position: $1, reason: options.reason) }, "is skipped",
                message: { .skip(destination: $0, notification: $1, reason: options.reason) }, "is not sent")
        }
    }

    private static func answer(
        _ choice: Choice, _ options: AdministrationOptions,
        refused: (@Sendable (RefusedRecord, AdministrationSession) async throws -> Answer)? = nil,
        event: @Sendable (String, UInt64) -> DeadLetterBox.Command, _ eventOutcome: String,
        message: @Sendable (String, String) -> AbandonedNotifications.Command, _ messageOutcome: String
    ) async throws {
        let stage = try choice.stage.map { try givenName($0, field: "--stage").text }
        let answer = try await AdministrationSession.run(options.global) { session in
            func answered(_ stage: String, _ position: UInt64) async throws -> Answer {
                if let refused, let record = RefusedRecord(stage: stage, position: position) {
                    return try await refused(record, session)
                }
                let events = try await session.decide(
                    DeadLetterBox.self, on: .failures(stage: stage), event(stage, position))
                return Answer(
                    changed: !events.isEmpty, "event \(position) \(eventOutcome) by \(stage)",
                    [.init("stage", .string(stage)), .init("position", .integer(position))])
            }
            if let stage, let position = choice.position { return try await answered(stage, position) }
            let letter = try await session.store.deadLetter(choice.id ?? "")
            switch letter.matter {
            case .event(let failure): return try await answered(failure.stage, failure.position)
            case .message(let abandoned):
                let events = try await session.decide(
                    AbandonedNotifications.self, on: letter.stream,
                    message(abandoned.destination, abandoned.notification))
                return Answer(
                    changed: !events.isEmpty, "the message \(letter.id) \(messageOutcome)",
                    [
                        .init("id", .string(letter.id)), .init("destination", .string(abandoned.destination)),
                        .init("notification", .string(abandoned.notification)),
                    ])
            }
        }
        try answer.print(options.global)
    }
}
