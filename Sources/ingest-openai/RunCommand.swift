import ArgumentParser
import EventLog
import FinOps
import Logging
import Messaging
import Runtime
import ServiceLifecycle
import Stages
import Storage

/// Collects on schedule until it is asked to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Collect daily at the configured time and poll the running day, until asked to stop.",
        discussion: "Example: ingest-openai run --dir D")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var service: ServiceOptions
    @OptionGroup var provider: ProviderOptions

    func run() async throws {
        try await StageProgram.run("ingest-openai", options: global, service: service) { context in
            let configuration = try Configuration.load(context.directory, flags: provider.flags)
            let opener = try provider.opener(context.directory, configuration, context.clock)
            let collecting = IngestService(context: context, opener: opener, calendar: try .configured(configuration))
            guard let listener = collecting.listener else { return [collecting] }
            return [collecting, listener]
        }
    }
}

private struct IngestService: Service {
    let context: StageContext
    let opener: ConnectionOpener
    let calendar: BusinessCalendar
    private let requests: DailyRequests?
    private let store: RemoteEventStore

    init(context: StageContext, opener: ConnectionOpener, calendar: BusinessCalendar) {
        self.context = context
        self.opener = opener
        self.calendar = calendar
        requests = context.configuration.cronListen.map { _ in DailyRequests() }
        // Reads go to the file beside us: a day's stream may be long, and the writer has better things to do.
        let reader = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        store = RemoteEventStore(context.link.options, reader: context.link.isElsewhere ? nil : reader)
    }

    /// Takes requests for the runs of this service; nil where nobody may ask.
    var listener: CronListener? {
        guard let requests, let address = context.configuration.cronListen else { return nil }
        let clock = context.clock
        let batch = DailyBatch(
            provider: "openai", schedule: schedule, log: store, requests: requests, now: { clock.now() })
        return CronListener(
            address: address, directory: context.directory, batch: batch, log: store, uses: opener.uses,
            transfer: opener.settings, logger: context.logger)
    }

    func run() async throws {
        let store = self.store
        defer { store.close() }
        let (clock, health, opener, logger) = (context.clock, context.health, self.opener, context.logger)
        let loop = CollectionLoop(
            provider: "openai", schedule: schedule, log: store,
            open: { connection throws(SourceFailure) in try await opener.source(of: connection, log: store) },
            sleep: { try await clock.sleep(until: $0) },
            environment: CollectionEnvironment(
                clock, logger: logger,
                ledger: RunFiles(directory: context.directory) { logger.warning("\($0)") }), requests: requests)
        try await cancelWhenGracefulShutdown {
            do {
                try await loop.run { error in
                    if let error { health.notReady("\(error)") } else { health.ready() }
                }
            } catch  where Task.isCancelled {
                return  // Asked to stop: what was under way is in the log or will be done again.
            }
        }
    }

    private var schedule: CollectionSchedule {
        CollectionSchedule(
            calendar: calendar, dailySeconds: context.configuration.dailyTime.secondsFromMidnight,
            pollSeconds: context.configuration.pollSeconds, trailingDays: context.configuration.trailingDays)
    }
}
