import ArgumentParser
import EventLog
import FinOps
import Messaging
import Runtime
import ServiceLifecycle
import Stages
import Storage

/// Reacts until it is asked to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "React to the log as it grows, until asked to stop.",
        discussion: "Example: attributor run --dir D")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await StageProgram.run(Attributor.stage, options: options, service: service) { context in
            [AttributorService(context: context)]
        }
    }
}

/// The attributor over the bus.
private struct AttributorService: Service {
    let context: StageContext

    func run() async throws {
        let (health, clock) = (context.health, context.clock)
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        try await context.react(reading: file) { log in
            let attributor = Attributor(
                store: log.store, reader: log.reader,
                settings: .init(force: BillForce(billedAfterSeconds: context.configuration.billedAfterSeconds)),
                logger: context.logger, now: { clock.now() },
                onProgress: { progress in
                    health.consumed(Attributor.stage, through: progress.checkpoint, head: progress.head)
                    health.parked(Attributor.stage, count: progress.parked, oldest: nil)
                    health.ready()
                })
            try await attributor.run(log.subscriptions)
        }
    }
}
