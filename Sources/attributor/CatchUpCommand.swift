import ArgumentParser
import EventLog
import FinOps
import JSON
import Logging
import Runtime
import Stages
import Storage

/// Handles everything there is and ends.
struct CatchUpCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catch-up", abstract: "Handle everything up to the log's head, due bills included, and end.",
        discussion: "Example: attributor catch-up --dir D")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let configuration = try Configuration.load(directory)
        let clock = try PipelineClock.load(from: directory)
        let progress = LatestProgress()
        try await LogSession.withLog(directory, catchesUp: false, connector: .remote) { store in
            let file = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
            let reader: any EventReader = try LogLink.of(directory).isElsewhere ? store : file
            let attributor = Attributor(
                store: store, reader: reader,
                settings: .init(force: BillForce(billedAfterSeconds: configuration.billedAfterSeconds)),
                logger: .stage(Attributor.stage, level: "warning", format: configuration.logFormat),
                now: { clock.now() }, onProgress: { progress.set($0) })
            try await attributor.catchUp()
        }
        if options.json { try Output.line(progress.value.json.text) }
    }
}
