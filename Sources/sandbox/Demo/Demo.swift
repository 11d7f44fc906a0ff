import ArgumentParser
import Foundation
import JSON
import Runtime

/// Plays the trace's week through all the programs.
struct Demo: CancellableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plays the trace's week through the whole pipeline in about a minute, and shows what came of it.",
        discussion: """
            Ends with 0 only if the log verifies, the pipeline's totals equal the trace's own, the crossed threshold \
            was told in Slack and by mail, and the key that spent its limit was disabled, with evidence.
            Example: sandbox demo --pipeline Pipelines/demo.yaml
            """)

    @Option(help: "The demo's pipeline.") var pipeline: String
    @Option(help: "A state directory to make; one under the system's temporary folder, if not given.") var dir: String?
    @Flag(help: "Remove the state directory at the end instead of leaving it to be looked at.") var once = false
    @Flag(help: "Print one JSON document.") var json = false

    func run() async throws {
        let path = dir ?? FileManager.default.temporaryDirectory.path + "/finops-demo-\(UUID().uuidString.prefix(8))"
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure(.usage, "\(path) exists already", hint: "the demo makes a directory of its own")
        }
        let stage = try DemoStage(directory: StateDirectory(path: path), pipeline: pipeline)
        defer { if once { stage.remove() } }
        let report = try await play(on: stage)
        if json { try Output.line(report.document.prettyText) } else { try Output.write(report.text) }
        if !once {
            Output.message(
                "\nLook around:\n  export FINOPS_HOME=\(path)\n  reporter costs --by team,day --from 2026-11-09 --to 2026-11-15\n  reporter alerts\n  sandbox inbox\nThe last prints the messages that arrived; a browser shows them: \(stage.files.inbox)/index.html"
            )
        }
        guard report.isRight else {
            throw CommandFailure(.problemFound, report.problems.joined(separator: "\n"))
        }
    }

    /// Whatever happens, nothing that was started goes on running.
    private func play(on stage: DemoStage) async throws -> DemoReport {
        do {
            try await stage.prepare()
            try await stage.playWeek()
            try await stage.awaitMessages()
            await stage.stopPipeline()
            let key = try await stage.spendALimit()
            await stage.stop()
            return try await DemoReport(of: stage, key)
        } catch {
            await stage.stop()
            throw error
        }
    }
}
