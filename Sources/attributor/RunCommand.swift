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

/// The attributor over the bus, reading the log's file beside it.
private struct AttributorService: Service {
    let context: StageContext

    func run() async throws {
        let link = context.link
        let file = SQLiteEventReader(files: LogFiles(database: context.directory.logDatabase))
        let store = RemoteEventStore(link.options, reader: link.isElsewhere ? nil : file)
        let reader: any EventReader = link.isElsewhere ? store : file
        defer { store.close() }
        let health = context.health
        let clock = context.clock
        let attributor = Attributor(
            store: store, reader: reader,
            settings: .init(force: BillForce(billedAfterSeconds: context.configuration.billedAfterSeconds)),
            logger: context.logger, now: { clock.now() },
            onProgress: { progress in
                health.consumed(Attributor.stage, through: progress.checkpoint, head: progress.head)
                health.parked(Attributor.stage, count: progress.parked, oldest: nil)
                health.ready()
            })
        let subscriptions = LiveSubscription(link.options, reader: reader)
        try await cancelWhenGracefulShutdown {
            do { try await attributor.run(subscriptions) } catch  where Task.isCancelled {
                return  // Asked to stop: what was under way is in the log or will be done again.
            }
        }
    }
}
