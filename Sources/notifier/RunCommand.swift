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

/// The notifier over the bus.
private struct NotifierService: Service {
    let context: StageContext
    let settings: Notifier.Settings

    func run() async throws {
        let (health, metrics) = (context.health, NotifierMetrics(context.health, context.clock))
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        try await context.react(reading: file) { log in
            var surroundings = Notifier.Surroundings(
                context.directory, context.configuration, context.clock, logger: context.logger, store: log.store)
            surroundings.onProgress = { progress in
                metrics.show(progress)
                if progress.handled >= progress.head { health.ready() }
            }
            let notifier = Notifier(store: log.store, reader: log.reader, settings: settings, surroundings)
            try await notifier.run(log.subscriptions)
        }
    }
}
