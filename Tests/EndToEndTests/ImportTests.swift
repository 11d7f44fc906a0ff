import Foundation
import Runtime
import Testing

/// What people read of an export is what the log gets.
@Suite struct ImportTests {
    @Test func anImportRefusesALineWhoseReadableDataIsNotItsPayload() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            try await installation.run("finops", "team", "add", "search").expecting()
            let export = try await installation.run("event-log", "export", "--format", "cloudevents").expecting()
                .standardOutput
            let file = installation.root.appending(path: "export.jsonl").path
            var other = installation
            other.stateName = "other"
            try StateDirectory(path: other.directory).prepare()

            let forged = export.replacingOccurrences(of: #""team":"search""#, with: #""team":"searxh""#)
            #expect(forged != export)
            try forged.write(toFile: file, atomically: true, encoding: .utf8)
            let refused = try await other.run("event-log", "import", file).expecting(1)
            #expect(refused.standardError.contains("data does not say what the payload says"))
            try export.write(toFile: file, atomically: true, encoding: .utf8)
            try await other.run("event-log", "import", file).expecting()
        }
    }
}
