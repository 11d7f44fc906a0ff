import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime
import Storage

/// Brings the projections to the log's head and ends.
struct CatchUpCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catch-up", abstract: "Read the log to its head, keep what follows from it, and end.",
        discussion: "Example: projector catch-up --dir D")

    @OptionGroup var options: GlobalOptions

    private static let waitMilliseconds = 30_000

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let calendar = try Configuration.load(directory).calendar()
        let position: Position
        if let lock = try ProjectionLock.take(.keeping, of: directory.projectionFiles) {
            let progress = BuildProgress(quiet: options.quiet)
            let keeper = ProjectionKeeper(
                files: directory.projectionFiles, reader: directory.logReader, calendar: calendar
            ) {
                if case .progress(let made) = $0 { progress.tell(made) }
            }
            do { position = try await keeper.catchUp() } catch let halt as ProjectionHalt {
                await keeper.close()
                let now = try PipelineClock.load(from: directory).now()
                try await LogSession.withLog(directory, catchesUp: false) {
                    try await HaltRecord.write(halt, to: $0, at: now)
                }
                throw halt
            }
            await keeper.close()
            _ = consume lock
        } else {
            position = try await othersCatchUp(directory)
        }
        if options.json { try Output.line((["position": .integer(position.value)] as JSONValue).text) }
    }

    /// A running projector keeps them: it is waited for.
    private func othersCatchUp(_ directory: StateDirectory) async throws -> Position {
        let head = try await directory.logReader.head()
        for _ in 0..<(Self.waitMilliseconds / 20) {
            let checkpoint = try ProjectionReader(path: directory.projectionFiles.current).checkpoint
            // An answer that was given a moment ago is about to be heard.
            if let halt = checkpoint.halt, try await !HaltRecord.isAnswered(halt, in: directory.logReader) {
                throw halt
            }
            if checkpoint.position >= head { return checkpoint.position }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CommandFailure(.tryAgain, "the running projector has not reached position \(head) within 30 s")
    }
}
