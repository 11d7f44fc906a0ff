import ArgumentParser
import Foundation
import Hummingbird
import Logging
import Runtime

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves until SIGTERM, or until its lifeline ends.",
        discussion: """
            It is a provider: OpenAI's and Anthropic's calls (/v1/chat/completions, /v1/responses, /v1/messages …) \
            with any key that begins with sk- or sk-ant-, and OpenAI's usage, costs and administration with the admin \
            key, which is \(exampleKey) without --key-file. OpenAI's usage and costs have the trace's week and, beside \
            it, what was called here, --usage-delay and --costs-delay later. Besides it has a Slack webhook (/slack/T1/B1/anything), an \
            SMTP mailbox on a port of its own, Resend (/resend) and Sentry (/api/1/envelope/); what arrived is shown \
            by `sandbox inbox`, /inbox, /sandbox/slack and /sandbox/mail.
            Example: sandbox serve --port 8080 --smtp-port 2525
            """)

    @OptionGroup var options: ProviderOptions
    @Option(help: "The port on 127.0.0.1; 0 lets the system choose.") var port = 0
    @Option(help: ArgumentHelp("Write the address there when ready.", valueName: "file")) var portFile: String?
    @Option(help: "The SMTP mailbox's port on 127.0.0.1; 0 lets the system choose. There is none, if not given.")
    var smtpPort: Int?
    @Option(help: ArgumentHelp("Write the mailbox's address there when ready.", valueName: "file"))
    var smtpPortFile: String?
    @Option(help: ArgumentHelp("Keep what arrives there, too, as a page and documents.", valueName: "folder"))
    var inbox: String?
    @Flag(help: "Turn away more than a message a second for each Slack webhook, as Slack does.") var slackLimit = false
    @Option(help: ArgumentHelp("Read the admin key from there.", valueName: "file")) var keyFile: String?
    @Option(help: "Follow the clock of this state directory, as a demo runs it.") var dir: String?
    @Option(help: "Stand still at this RFC 3339 time.") var now: String?
    @Option(
        help: """
            KIND[,path=…][,times=N][,retry_after=SECONDS][,delay_ms=N][,code=N][,text=…][,kept=0|1], such as
            429,path=/slack/ or reply,path=/smtp/rcpt,code=550; may be given several times.
            """)
    var fault: [Fault] = []
    @Option(help: "FROM/TO: between these times of its clock every request fails; may be given several times.")
    var outage: [Outage] = []
    @Option(help: "Buckets a page has at most, whatever is asked for.") var pageLimit: Int?
    @Flag(help: "Stop when standard input ends.") var lifeline = false

    /// The admin key without `--key-file`: not a secret, it opens nothing but this program.
    static let exampleKey = "sk-admin-sandbox-EXAMPLE"

    func run() async throws {
        let clock = SandboxClock(try clockSource())
        let control = Control(faults: fault, outages: outage)
        let inbox = Inbox(clock: clock, folder: inbox.map { URL(fileURLWithPath: $0) })
        let provider = try options.provider()
        let server = SandboxServer(
            provider: provider, clock: clock, control: control,
            receivers: Receivers(inbox: inbox, pace: slackLimit ? .init() : nil),
            administration: Administration(created: provider.week.start), adminKey: try adminKey(),
            mostBuckets: max(1, pageLimit ?? .max))
        if lifeline { Self.stopWhenStandardInputEnds() }
        let (portFile, smtpPortFile) = (portFile, smtpPortFile)
        let mail = smtpPort.map { port in
            MailServer(port: port, inbox: inbox, control: control) { Self.announce($0, in: smtpPortFile) }
        }
        let application = Application(
            responder: CallbackResponder<SandboxContext>(callback: server.respond),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port), serverName: nil),
            services: mail.map { [$0] } ?? [],
            onServerRunning: { channel in
                guard let port = channel.localAddress?.port else { return }
                Self.announce("http://127.0.0.1:\(port)", in: portFile)
            },
            logger: Logger(label: "sandbox") { label in
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = .warning
                return handler
            })
        try await application.runService()
    }

    private func adminKey() throws -> String {
        guard let keyFile else { return Self.exampleKey }
        return try String(contentsOfFile: keyFile, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func clockSource() throws -> SandboxClock.Source {
        if let dir { return .pipeline(StateDirectory(path: dir)) }
        guard let now else { return .real }
        guard let time = SandboxClock.seconds(rfc3339: now) else { throw ValidationError("\(now) is not a time") }
        return .fixed(time)
    }

    private static func announce(_ address: String, in file: String?) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data((address + "\n").utf8))
            try file.map { try Data((address + "\n").utf8).write(to: URL(fileURLWithPath: $0), options: .atomic) }
        } catch {
            FileHandle.standardError.write(Data("sandbox: cannot announce \(address): \(error)\n".utf8))
        }
    }

    /// Whoever started it holds the other end of its standard input, so it cannot outlive them.
    private static func stopWhenStandardInputEnds() {
        Thread.detachNewThread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            kill(getpid(), SIGTERM)
        }
    }
}
