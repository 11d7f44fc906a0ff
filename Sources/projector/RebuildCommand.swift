import ArgumentParser
import EventLog
import JSON
import Projections
import Runtime

/// Builds the projections anew, beside those that are read, and swaps them in.
struct RebuildCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Build all projections anew from the log and swap them in.",
        discussion: """
            Reports are answered from the old ones until then. With --json the digest of the new ones is printed: the \
            same log gives the same digest.
            Example: projector rebuild --dir D --json
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let calendar = try Configuration.load(directory).calendar()
        let files = directory.projectionFiles
        let progress = BuildProgress(quiet: options.quiet)
        let keeper = ProjectionKeeper(files: files, reader: directory.logReader, calendar: calendar) { step in
            if case .progress(let made) = step { progress.tell(made) }
        }
        let checkpoint = try await keeper.rebuild()
        let seconds = progress.seconds
        if options.json {
            try Output.line(try document(checkpoint, files, seconds).text)
        } else if !options.quiet {
            Output.message("\(checkpoint.position) events in \(tenths(seconds)) s; the new projections are in use")
        }
        if let halt = checkpoint.halt { throw halt }
    }

    private func document(_ checkpoint: ProjectionWriter.Checkpoint, _ files: ProjectionFiles, _ seconds: Double) throws
        -> JSONValue
    {
        let rate = Int64(Double(checkpoint.position.value) / max(seconds, 0.001))
        return [
            "position": .integer(checkpoint.position.value),
            "digest": .string(try ProjectionDigest.hex(ofGeneration: files.current)),
            "generation": JSONValue(files.currentGeneration), "seconds": .number(tenths(seconds)),
            "events_per_second": .integer(rate), "halted_at": checkpoint.halt.map { .integer($0.position) } ?? .null,
        ]
    }

    private func tenths(_ seconds: Double) -> String {
        let tenths = Int64((seconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
