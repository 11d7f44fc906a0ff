import ArgumentParser
import EventLog
import FinOps
import Logging
import Messaging
import Projections
import Runtime
import ServiceLifecycle
import Storage

/// Follows the log until it is asked to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Keep the projections up to date with the log, until asked to stop.",
        discussion: "Example: projector run --dir D")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await StageProgram.run("projector", options: options, service: service) { context in
            [
                ProjectorService(context: context), ReconcileGauge(context: context), UnpricedWatch(context: context),
            ]
        }
    }
}

/// The keeper of the projections on the bus, reading the log's file beside its writer.
private struct ProjectorService: Service {
    let context: StageContext

    /// How often a halted projection looks whether its event may be passed, and a missing log whether it is there.
    private static let retryPause = Duration.seconds(1)

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do { try await keep() } catch  where Task.isCancelled {
                return  // Asked to stop: the checkpoint says how far it came.
            }
        }
    }

    private func keep() async throws {
        guard !context.link.isElsewhere else {
            throw CommandFailure(.usage, "the projector reads the log's file: run it on the machine of the log")
        }
        let files = context.directory.projectionFiles
        guard let lock = try ProjectionLock.take(.keeping, of: files) else {
            throw CommandFailure(.tryAgain, "another projector keeps the projections of \(context.directory.path)")
        }
        let reader = context.directory.logReader
        let logger = context.logger
        let keeper = ProjectionKeeper(files: files, reader: reader, calendar: try context.configuration.calendar()) {
            step in
            switch step {
            case .building(let reason): logger.info("building", metadata: ["reason": "\(reason)"])
            case .progress: break
            case .opened(let path, let position):
                logger.info("opened", metadata: ["generation": "\(path)", "position": "\(position)"])
            }
        }
        while !Task.isCancelled {
            do {
                try await follow(keeper, reader)
            } catch let halt as ProjectionHalt {
                context.health.notReady("\(halt)")
                logger.error("halted", metadata: ["position": "\(halt.position)", "reason": "\(halt.reason)"])
                try await untilAnswered(halt, reader, files)
            } catch StoreError.failed(let failure) where failure.isRetriable {
                try await wait(because: failure.message)
            } catch let failure as ProjectionFailure where failure.isRetriable {
                try await wait(because: failure.message)
            }
        }
        await keeper.close()
        _ = consume lock
    }

    private func wait(because reason: String) async throws {
        context.health.notReady(reason)
        context.logger.debug("waiting", metadata: ["reason": "\(reason)"])
        try await Task.sleep(for: Self.retryPause)
    }

    /// Until another generation is swapped in.
    private func follow(_ keeper: ProjectionKeeper, _ reader: SQLiteEventReader) async throws {
        let position = try await keeper.open()
        context.health.consumed("projector", through: position, head: try await reader.head())
        context.health.ready()
        for try await batch in LiveSubscription(context.link.options, reader: reader).subscribe(
            after: position, types: nil)
        {
            guard try await keeper.apply(batch) else { return }
            context.health.consumed(
                "projector", through: batch.scannedThrough, head: batch.head, recorded: batch.events.last?.recorded)
        }
    }

    /// Until an administrator lets the event pass or be tried again, or another generation is swapped in.
    private func untilAnswered(_ halt: ProjectionHalt, _ reader: SQLiteEventReader, _ files: ProjectionFiles)
        async throws
    {
        let generation = files.currentGeneration
        let store = RemoteEventStore(context.link.options, reader: reader)
        defer { store.close() }
        var isRecorded = false
        while files.currentGeneration == generation {
            if !isRecorded { isRecorded = await record(halt, in: store) }
            // Before it is recorded, a retry is the one that has just failed.
            switch try await HaltRecord.letter(of: halt, in: reader)?.state {
            case .skipped: return
            case .retried where isRecorded: return
            default: try await Task.sleep(for: Self.retryPause)
            }
        }
    }

    /// - Returns: whether the log has it; else it is tried again.
    private func record(_ halt: ProjectionHalt, in store: any EventStore) async -> Bool {
        do {
            try await HaltRecord.write(halt, to: store, at: context.clock.now())
            return true
        } catch {
            context.logger.warning("halt not recorded", metadata: ["error": "\(error)"])
            return false
        }
    }
}
