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
        commandName: "catch-up", abstract: "Handle everything up to the log's head, and end.",
        discussion: "Example: threshold-watcher catch-up --dir D")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let configuration = try Configuration.load(directory)
        let currency = try configuration.watchedCurrency
        let clock = try PipelineClock.load(from: directory)
        let progress = LatestProgress()
        try await LogSession.withLog(directory, catchesUp: false, connector: .remote) { store in
            let file = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
            let reader: any EventReader = try LogLink.of(directory).isElsewhere ? store : file
            let logger = Logger.stage(ThresholdWatcher.stage, level: "warning", format: configuration.logFormat)
            let watcher = ThresholdWatcher(
                store: store, reader: reader, currency: currency, logger: logger, now: { clock.now() },
                onProgress: { progress.set($0) })
            try await watcher.catchUp()
            try await PolicyEnforcer(store: store, reader: reader, logger: logger, now: { clock.now() }).catchUp()
        }
        if options.json { try Output.line(progress.value.json.text) }
    }
}
