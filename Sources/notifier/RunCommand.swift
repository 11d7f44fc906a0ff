import ArgumentParser
import EventLog
import FinOps
import Messaging
import Runtime
import ServiceLifecycle
import Stages
import Storage

/// Delivers until it is asked to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Deliver alerts as they arise, until asked to stop.",
        discussion: "Example: notifier run --dir D")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var service: ServiceOptions

    func run() async throws {
        let pipeline = options.pipeline
        try await StageProgram.run(Notifier.stage, options: options, service: service) { context in
            let settings = Notifier.Settings(
                context.configuration, context.clock,
                stages: try Notifier.watchedStages(pipeline: pipeline ?? context.directory.pipeline))
            return [NotifierService(context: context, settings: settings)]
        }
    }
}

/// The notifier over the bus, reading the log's file beside it.
private struct NotifierService: Service {
    let context: StageContext
    let settings: Notifier.Settings

    func run() async throws {
        let link = context.link
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        let store = RemoteEventStore(link.options, reader: link.isElsewhere ? nil : file)
        let reader: any EventReader = link.isElsewhere ? store : file
        defer { store.close() }
        let (health, metrics) = (context.health, NotifierMetrics(context.health, context.clock))
        var surroundings = Notifier.Surroundings(
            context.directory, context.configuration, context.clock, logger: context.logger, store: store)
        surroundings.onProgress = { progress in
            metrics.show(progress)
            if progress.handled >= progress.head { health.ready() }
        }
        let notifier = Notifier(store: store, reader: reader, settings: settings, surroundings)
        let subscriptions = LiveSubscription(link.options, reader: reader)
        try await cancelWhenGracefulShutdown {
            do { try await notifier.run(subscriptions) } catch  where Task.isCancelled {
                return  // Asked to stop: what was under way is in the log or will be done again.
            }
        }
    }
}
