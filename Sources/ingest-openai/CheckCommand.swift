import ArgumentParser
import EventLog
import FinOps
import JSON
import Providers
import Runtime
import Stages

/// Tests the connections with the smallest requests there are.
struct CheckCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Test the credentials and say precisely what fails.",
        discussion: """
            Exit codes: 0 works, 4 the key is refused, 75 unreachable for now, 3 anything else.
            Example: ingest-openai check --dir D --name acme
            """)

    @Option(help: "Only the account of this name.") var name: String?
    @OptionGroup var global: GlobalOptions
    @OptionGroup var provider: ProviderOptions

    func run() async throws {
        let directory = try global.initialisedDirectory()
        let configuration = try Configuration.load(directory, flags: provider.flags)
        let opener = try provider.opener(directory, configuration, .real)
        let findings = try await LogSession.withLog(directory) { log in
            var findings: [(account: String, finding: CheckFinding)] = []
            for connection in try await log.connections(provider: "openai").named(name) {
                findings += await check(connection, opener, log).map { (account: connection.account, finding: $0) }
            }
            return findings
        }
        try tell(findings)
        if let status = Self.status(findings.compactMap(\.finding.failure)) {
            let worst = findings.first { !$0.finding.ok }
            throw CommandFailure(status, "the check found a problem", hint: worst?.finding.remedy)
        }
    }

    private func check(
        _ connection: WireConnectionMade, _ opener: ConnectionOpener, _ log: any EventStore
    ) async -> [CheckFinding] {
        do throws(SourceFailure) {
            return await (try await opener.check(of: connection, log: log)).run(now: wallTime().seconds)
        } catch {
            return [
                CheckFinding(
                    subject: "connection", failure: error, detail: error.message,
                    remedy: "connect it again: finops connect openai --name \(connection.account) --key-file FILE")
            ]
        }
    }

    private func tell(_ findings: [(account: String, finding: CheckFinding)]) throws {
        if global.json {
            let document: JSONValue = [
                "ok": .bool(findings.allSatisfy { $0.finding.ok }),
                "findings": .array(findings.map { Self.document(of: $0.finding, account: $0.account) }),
            ]
            return try Output.line(document.prettyText)
        }
        var table = Table([.init("account"), .init("subject"), .init("ok"), .init("detail")])
        table.rows = findings.map { row -> [JSONValue] in
            let finding = row.finding
            return [.string(row.account), .string(finding.subject), .bool(finding.ok), .string(finding.detail)]
        }
        try table.write(.table)
        for (account, finding) in findings where !finding.ok {
            Output.message("\(account), \(finding.subject): \(finding.remedy)")
        }
    }

    private static func document(of finding: CheckFinding, account: String) -> JSONValue {
        [
            "account": .string(account), "subject": .string(finding.subject), "ok": .bool(finding.ok),
            "code": JSONValue(finding.failure?.code), "detail": .string(finding.detail),
            "remedy": JSONValue(finding.ok ? nil : finding.remedy),
        ]
    }

    private static func status(_ failures: [SourceFailure]) -> ExitStatus? {
        if failures.isEmpty { return nil }
        if failures.contains(where: { $0.kind == .notAuthorised }) { return .notAuthorised }
        return failures.allSatisfy(\.isRetriable) ? .tryAgain : .problemFound
    }
}
