import ArgumentParser
import EventLog
import FinOps
import Logging
import Messaging
import Runtime
import ServiceLifecycle
import Stages
import Storage

/// Reacts until it is asked to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "React to the log as it grows, until asked to stop.",
        discussion: "Example: threshold-watcher run --dir D")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await StageProgram.run(ThresholdWatcher.stage, options: options, service: service) { context in
            [
                ThresholdWatcherService(context: context, currency: try context.configuration.watchedCurrency),
                PolicyEnforcerService(context: context),
            ]
        }
    }
}

/// The watcher over the bus.
private struct ThresholdWatcherService: Service {
    let context: StageContext
    let currency: Currency

    func run() async throws {
        let (health, clock) = (context.health, context.clock)
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        try await context.react(reading: file) { log in
            let watcher = ThresholdWatcher(
                store: log.store, reader: log.reader, currency: currency, logger: context.logger,
                now: { clock.now() },
                onProgress: { progress in
                    health.consumed(ThresholdWatcher.stage, through: progress.checkpoint, head: progress.head)
                    health.parked(ThresholdWatcher.stage, count: progress.parked, oldest: nil)
                    health.ready()
                })
            try await watcher.run(log.subscriptions)
        }
    }
}

/// Answers crossings of limits whose policy is to disable keys.
private struct PolicyEnforcerService: Service {
    let context: StageContext

    func run() async throws {
        let (health, clock) = (context.health, context.clock)
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        try await context.react(reading: file) { log in
            let enforcer = PolicyEnforcer(
                store: log.store, reader: log.reader, logger: context.logger, now: { clock.now() },
                onProgress: { progress in
                    health.consumed(PolicyEnforcer.stage, through: progress.checkpoint, head: progress.head)
                    health.parked(PolicyEnforcer.stage, count: progress.parked, oldest: nil)
                })
            try await enforcer.run(log.subscriptions)
        }
    }
}

extension Configuration {
    /// The reporting currency, in which thresholds are stated.
    /// - Throws: `CommandFailure` if it is none that amounts can be in.
    var watchedCurrency: Currency {
        get throws {
            guard let currency = Currency(currency) else {
                throw CommandFailure(.failure, "config.yaml: \"\(currency)\" is no currency")
            }
            return currency
        }
    }
}
