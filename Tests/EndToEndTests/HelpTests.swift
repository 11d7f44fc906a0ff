import Foundation
import JSON
import Testing

@Suite struct HelpTests {
    @Test(arguments: [
        "event-log", "projector", "ingest-openai", "attributor", "threshold-watcher", "notifier", "reporter", "finops",
        "gateway", "sandbox",
    ])
    func everyCommandShowsAnExampleOfItself(_ program: String) async throws {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "help-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { do { try FileManager.default.removeItem(at: scratch) } catch { Issue.record(error) } }
        let said = try await RunningProgram(program, ["--experimental-dump-help"], scratch: scratch).wait().expecting()
        func withoutExample(_ command: JSONValue?, _ path: [String]) -> [String] {
            let path = path + [command?["commandName"]?.string ?? ""]
            let subcommands = (command?["subcommands"]?.array ?? []).filter { $0["commandName"] != "help" }
            let isShown = command?["discussion"]?.string?.contains("Example") == true
            if subcommands.isEmpty { return isShown ? [] : [path.joined(separator: " ")] }
            return subcommands.flatMap { withoutExample($0, path) }
        }
        #expect(withoutExample(try said.json()["command"], []).isEmpty)
    }
}
