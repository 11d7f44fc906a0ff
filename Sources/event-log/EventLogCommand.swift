import ArgumentParser
import Runtime

/// Serves and inspects the log of one state directory.
@main struct EventLogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event-log", abstract: "Serves and inspects the log of all events.",
        discussion: """
            serve is the only writer. All other commands read the log's file and work with or without it; import and \
            restore write the file themselves and work only without it.
            Examples:
              event-log ls --prefix usage-
              event-log tail --follow --type usage.recorded
              event-log verify --json
              event-log export --format cloudevents > events.jsonl
            """,
        subcommands: [
            Serve.self, ListStreams.self, View.self, Tail.self, Get.self, Stats.self, Gaps.self, Verify.self,
            Export.self,
            Import.self, Backup.self, Restore.self,
        ])

    static func main() async { await runProgram() }
}
