import ArgumentParser
import EventLog
import FinOps
import JSON
import Logging
import Messaging
import Runtime
import Stages
import Storage

/// Sends one message over the real path and says what the other side said.
struct TestCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Send a test message to a channel; exit code 0 only when the other side accepted it.",
        discussion: """
            The message takes the way of every alert: through the log, the outbox and the running notifier, or, where \
            none runs, this program. Example:
              notifier test --channel slack --dir D
            Exit codes: 0 accepted, 4 the credential is refused, 75 it may pass, 1 anything else.
            """)

    /// What can be tested, and how it is set.
    enum Channel: String, ExpressibleByArgument, CaseIterable {
        case slack, mail, sentry

        var settingIt: String {
            switch self {
            case .slack: "finops channel set slack --url-file F"
            case .mail: "finops channel set mail --smtp smtp://host:port --from A --to A,B"
            case .sentry: "finops channel set sentry --dsn-file F"
            }
        }
    }

    private static let limit = Duration.seconds(150)

    @Option(help: "slack, mail or sentry.") var channel: Channel
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let configuration = try Configuration.load(directory)
        let clock = try PipelineClock.load(from: directory)
        let file = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        let isElsewhere = try LogLink.of(directory).isElsewhere
        let verdicts = try await LogSession.withLog(directory, catchesUp: false, connector: .remote) { store in
            let reader: any EventReader = isElsewhere ? store : file
            guard let set = try await ChannelTest.channel(channel.rawValue, in: reader) else {
                throw CommandFailure(
                    .failure, "channel \(channel) is not set", hint: "set it with: \(channel.settingIt)")
            }
            let test = try await ChannelTest.queue(set, in: store, reader: reader, now: { clock.now() })
            let isDelivering = HealthClient.get("/livez", socket: try directory.healthSocket(stage: Notifier.stage))
            guard isDelivering == nil else { return try await test.verdicts(in: reader, within: Self.limit) }
            let logger = Logger.stage(Notifier.stage, level: "error", format: configuration.logFormat)
            let notifier = Notifier(
                store: store, reader: reader, settings: Notifier.Settings(configuration, clock, stages: [:]),
                Notifier.Surroundings(directory, configuration, clock, logger: logger, store: store))
            return try await test.verdicts(in: reader, within: Self.limit, deliveredBy: notifier)
        }
        try report(verdicts)
    }

    private func report(_ verdicts: [ChannelTest.Verdict]) throws {
        let worst = verdicts.filter { !$0.isAccepted }.max { $0.gravity < $1.gravity }
        if options.json {
            let document: JSONValue = [
                "channel": .string(channel.rawValue), "ok": .bool(worst == nil),
                "destinations": .array(verdicts.map(\.json)),
            ]
            try Output.line(document.text)
        } else {
            for verdict in verdicts where verdict.isAccepted {
                Output.message("\(verdict.destination): accepted (\(verdict.message))")
            }
        }
        guard let worst else { return }
        throw CommandFailure(worst.exitStatus, "\(worst.destination): \(worst.message) (\(worst.code))")
    }
}

extension ChannelTest.Verdict {
    fileprivate var exitStatus: ExitStatus {
        if code == "not-authorised" { return .notAuthorised }
        return isRetriable ? .tryAgain : .failure
    }

    /// What will not pass by itself weighs more.
    fileprivate var gravity: Int { exitStatus == .notAuthorised ? 2 : exitStatus == .failure ? 1 : 0 }

    fileprivate var json: JSONValue {
        [
            "destination": .string(destination), "accepted": .bool(isAccepted),
            "code": isAccepted ? .null : .string(code), "message": .string(message),
            "milliseconds": JSONValue.integer(milliseconds),
        ]
    }
}
