import ArgumentParser
import Runtime

@main
struct IngestOpenAICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest-openai",
        abstract: "Collects usage and costs of the connected OpenAI organisations.",
        discussion: """
            Accounts are connected with `finops connect openai`. Running it again never counts anything twice: what is \
            in the log already is no difference. Examples:
              ingest-openai check --dir D
              ingest-openai backfill --from 2026-11-01 --to 2026-11-20 --dir D
              ingest-openai run --dir D
            Exit codes: 0 done, 4 the key is refused, 75 try again later, 64 usage.
            """,
        subcommands: [RunCommand.self, OnceCommand.self, BackfillCommand.self, CheckCommand.self])

    static func main() async { await runProgram() }
}
