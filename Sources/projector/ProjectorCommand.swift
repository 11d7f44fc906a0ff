import ArgumentParser
import EventLog
import FinOps
import Messaging
import Projections
import Runtime
import Storage

@main
struct ProjectorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projector",
        abstract: "Folds the log into the read models that answer reports.",
        discussion: """
            What it keeps can be thrown away and built again. Examples:
              projector run --dir D
              projector catch-up --dir D
              projector rebuild --dir D --json
            """,
        subcommands: [RunCommand.self, CatchUpCommand.self, RebuildCommand.self])

    static func main() async { await runProgram() }
}

extension StateDirectory {
    /// The generations of this directory.
    var projectionFiles: ProjectionFiles { ProjectionFiles(directory: projectionsDirectory) }
    /// The log's file, read beside its writer.
    var logReader: SQLiteEventReader { SQLiteEventReader(files: LogFiles(database: logDatabase)) }
}

extension Configuration {
    /// - Throws: `CommandFailure` if the system does not know the zone.
    func calendar() throws -> BusinessCalendar {
        guard let calendar = BusinessCalendar(zone) else {
            throw CommandFailure(.failure, "the system does not know the time zone \(zone)")
        }
        return calendar
    }
}

extension ProjectionFailure: ExitStatusProviding {
    var exitStatus: ExitStatus { isRetriable ? .tryAgain : .failure }
}
