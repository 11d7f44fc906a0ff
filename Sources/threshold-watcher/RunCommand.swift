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

/// The watcher over the bus, reading the log's file beside it.
private struct ThresholdWatcherService: Service {
    let context: StageContext
    let currency: Currency

    func run() async throws {
        let link = context.link
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        let store = RemoteEventStore(link.options, reader: link.isElsewhere ? nil : file)
        let reader: any EventReader = link.isElsewhere ? store : file
        defer { store.close() }
        let health = context.health
        let clock = context.clock
        let watcher = ThresholdWatcher(
            store: store, reader: reader, currency: currency, logger: context.logger, now: { clock.now() },
            onProgress: { progress in
                health.consumed(ThresholdWatcher.stage, through: progress.checkpoint, head: progress.head)
                health.parked(ThresholdWatcher.stage, count: progress.parked, oldest: nil)
                health.ready()
            })
        let subscriptions = LiveSubscription(link.options, reader: reader)
        try await cancelWhenGracefulShutdown {
            do { try await watcher.run(subscriptions) } catch  where Task.isCancelled {
                return  // Asked to stop: what was under way is in the log or will be done again.
            }
        }
    }
}

/// Answers crossings of limits whose policy is to disable keys.
private struct PolicyEnforcerService: Service {
    let context: StageContext

    func run() async throws {
        let link = context.link
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        let store = RemoteEventStore(link.options, reader: link.isElsewhere ? nil : file)
        let reader: any EventReader = link.isElsewhere ? store : file
        defer { store.close() }
        let clock = context.clock
        let enforcer = PolicyEnforcer(store: store, reader: reader, logger: context.logger, now: { clock.now() })
        let subscriptions = LiveSubscription(link.options, reader: reader)
        try await cancelWhenGracefulShutdown {
            do { try await enforcer.run(subscriptions) } catch  where Task.isCancelled {
                return  // Asked to stop: what was under way is in the log or will be done again.
            }
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
