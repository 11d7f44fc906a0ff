import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import Providers
import Runtime
import Stages
import Transfer

/// How the provider is reached.
struct ProviderOptions: ParsableArguments {
    @Option(
        name: .customLong("list-style"),
        help: "How lists are written in queries: plain or brackets (default: list_style of config.yaml).")
    var listStyle: String?

    @Option(
        name: .customLong("ca-file"), help: "PEM file of trusted certificates (default: $FINOPS_CA_FILE, the system's)."
    )
    var caFile: String?

    @Option(help: "Proxy address (default: $FINOPS_PROXY, then the usual variables such as https_proxy).")
    var proxy: String?

    @Option(
        name: .customLong("legacy-pause"),
        help: "Seconds between two requests to the older interface (default: $FINOPS_LEGACY_PAUSE, 12).")
    var legacyPause: Double?

    func validate() throws {
        if let legacyPause, !Self.isPause(legacyPause) {
            throw ValidationError("--legacy-pause must be a positive number of seconds, at most 86400")
        }
    }

    /// A pause longer than a day collects nothing; one without bound is no `Duration`.
    private static func isPause(_ seconds: Double) -> Bool { seconds > 0 && seconds <= 86_400 }

    /// Values of the configuration that were given here.
    var flags: [String: String] { listStyle.map { ["list_style": $0] } ?? [:] }

    /// - Throws: `CommandFailure` for a variable that is no positive number.
    func opener(
        _ directory: StateDirectory, _ configuration: Configuration, _ clock: PipelineClock,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> ConnectionOpener {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var settings = TransferSettings()
        settings.caBundle = caFile ?? variable("FINOPS_CA_FILE")
        settings.proxy = proxy ?? variable("FINOPS_PROXY")
        settings.userAgent = "finops-ingest-openai"
        var pause = legacyPause
        if pause == nil, let text = variable("FINOPS_LEGACY_PAUSE") {
            guard let seconds = Double(text), Self.isPause(seconds) else {
                throw CommandFailure(
                    .usage, "FINOPS_LEGACY_PAUSE must be a positive number of seconds, at most 86400, not \"\(text)\"")
            }
            pause = seconds
        }
        return ConnectionOpener(
            directory: directory, clock: clock, settings: settings,
            listStyle: configuration.listStyle == .brackets ? .brackets : .plain,
            legacyPerSecond: pause.map { 1 / $0 } ?? OpenAILegacySource.perSecond,
            uses: SecretUse(stage: "ingest-openai", now: { clock.now() }))
    }
}
