import EventLog
import FinOps
import Logging
import Providers
import Runtime
import Stages

/// One collection by hand: finds the connections, collects their days one after another, tells what came of it.
struct CollectionSession {
    let global: GlobalOptions
    let opener: ConnectionOpener
    let clock: PipelineClock
    let calendar: BusinessCalendar
    let configuration: Configuration

    init(_ global: GlobalOptions, _ provider: ProviderOptions) throws {
        self.global = global
        let directory = try global.initialisedDirectory()
        configuration = try Configuration.load(directory, flags: provider.flags)
        clock = try PipelineClock.load(from: directory)
        calendar = try BusinessCalendar.configured(configuration)
        opener = try provider.opener(directory, configuration, clock)
    }

    /// Returns when everything is committed and told.
    /// - Throws: `CommandFailure` with 64 if nothing is connected, 4 or 75 if a provider gave no answer.
    func collect(_ kind: CollectionKind, _ days: ClosedRange<Day>, name: String?) async throws {
        let reports = try await LogSession.withLog(opener.directory) { log in
            let connections = try await log.connections(provider: "openai").named(name)
            let prices = CurrentPrices(log: log)
            var reports: [CollectionReport] = []
            for connection in connections {
                reports.append(try await collect(kind, days, connection, log: log, prices: prices))
            }
            return reports
        }
        try CollectionOutcome(reports: reports).tell(global)
    }

    private func collect(
        _ kind: CollectionKind, _ days: ClosedRange<Day>, _ connection: WireConnectionMade, log: any EventStore,
        prices: CurrentPrices
    ) async throws -> CollectionReport {
        let environment = CollectionEnvironment(
            clock, logger: .stage("ingest-openai", level: level, format: configuration.logFormat),
            ledger: RunFiles(directory: opener.directory) { Output.message("warning: \($0)") })
        let account = CollectedAccount(connection)
        do {
            let source = try await opener.source(of: connection, log: log)
            let collector = Collector(
                account: account, source: source, log: log, prices: prices, calendar: calendar,
                environment: environment)
            let meter = ProgressMeter(subject: connection.account, isShown: Output.isErrorTerminal && !global.quiet)
            return try await collector.collect(kind, days) { meter.show($0, of: $1) }
        } catch let failure as SourceFailure {
            return CollectionReport(
                account: account, kind: kind, days: days, run: environment.newID(), failure: failure)
        }
    }

    /// The outcome is printed; the log of the run is for those who ask.
    private var level: String { global.verbose ? "debug" : "error" }
}

extension CollectionEnvironment {
    init(_ clock: PipelineClock, logger: Logger, ledger: RunFiles) {
        self.init(
            now: { clock.now() }, pause: { try await clock.pause(seconds: $0) },
            newID: {
                var random = SystemRandomNumberGenerator()
                return .v7(at: clock.now(), using: &random)
            }, logger: logger, ledger: ledger)
    }
}

extension [WireConnectionMade] {
    /// The one of that name, or all.
    /// - Throws: `CommandFailure` if there is none, with the command that makes one.
    func named(_ name: String?) throws -> [WireConnectionMade] {
        guard !isEmpty else {
            throw CommandFailure(
                .usage, "no OpenAI account is connected",
                hint: "connect one: finops connect openai --name NAME --key-file FILE")
        }
        guard let name else { return self }
        let found = filter { $0.account == name }
        guard !found.isEmpty else {
            throw CommandFailure(
                .usage, "no OpenAI account is called \(name); connected: \(map(\.account).joined(separator: ", "))",
                hint: "connect it: finops connect openai --name \(name) --key-file FILE")
        }
        return found
    }
}

extension BusinessCalendar {
    /// - Throws: `CommandFailure` for a zone without rules on this machine.
    static func configured(_ configuration: Configuration) throws -> BusinessCalendar {
        guard let calendar = BusinessCalendar(configuration.zone) else {
            throw CommandFailure(
                .failure, "this machine has no rules for the time zone \(configuration.zone)",
                hint: "install the package tzdata")
        }
        return calendar
    }
}
