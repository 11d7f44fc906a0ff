import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// The README's sections on an organisation, alerts, prices and the vault, typed word for word and in order into an
/// installation that runs, with the sandbox in the providers' place.
@Suite(.serialized) struct ReadmeCommandTests {
    private func whileItRuns(_ body: (Installation, ReadmeShell, RunningGateway) async throws -> Void) async throws {
        try await Installation.with { installation in
            let gateway = try await installation.openGateway(upstreamKey: "sk-proj-typed-0001")
            defer { gateway.up.send(SIGKILL) }
            // `finops doctor` finds fault with a program that is still on its way.
            try await installation.allReady()
            try await body(installation, try ReadmeShell(installation), gateway)
            try await gateway.stop()
        }
    }

    /// A call for which the price of `gpt-4o` is asked.
    private func call(_ gateway: RunningGateway, _ key: String) async throws {
        let port = try #require(gateway.address.split(separator: ":").last.flatMap { UInt16($0) })
        let body = #"{"model":"gpt-4o","messages":[{"role":"user","content":"is it?"}],"max_tokens":30}"#
        let request = SceneCall.post(key: key, body)
        try await eventually("the gateway lets a call through") {
            await ParallelCalls.run([.init(ports: [port], request: request)])[0]?.status == 200
        }
    }

    // MARK: An organisation and its alerts

    @Test func whatItSaysOfAnOrganisationWorksAsWritten() async throws {
        // `Ops/run` is what started it.
        let lines = try Readme.lines(of: "## Your own organisation") { $0.hasPrefix("Ops/") }
        #expect(lines.count > 15)
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let up = try installation.start("finops", ["up"])
            defer { up.send(SIGKILL) }
            try await installation.allReady()
            let shell = try ReadmeShell(installation)
            for line in lines {
                // What the sandbox tells of its week differs from its bill: that is what the check is there to find.
                let isCheck = line.contains("--check")
                let said = try await shell.type(isCheck ? Readme.withoutComment(line) + " || test $? = 3" : line)
                #expect(line.hasPrefix("reporter ") ? !said.isEmpty : true, "\(line)")
            }
            let exported = try String(contentsOf: shell.folder.appending(path: "events.jsonl"), encoding: .utf8)
            #expect(exported.contains("usage.recorded") && exported.contains("project.added"))
            up.send(SIGTERM)
            try await up.wait().expecting()
        }
    }

    @Test func whatItSaysOfAlertsWorksAsWritten() async throws {
        let lines = try Readme.lines(of: "### Alerts") { _ in false }
        #expect(lines.count > 8)
        try await whileItRuns { installation, shell, _ in
            try Data("\(installation.address)/slack/T1/B1/secret".utf8).write(
                to: shell.folder.appending(path: "webhook.txt"))
            try Data("typed-0001".utf8).write(to: shell.folder.appending(path: "password.txt"))
            for line in lines {
                let mailbox = line.replacingOccurrences(of: "smtp://mail.example.com:587", with: installation.mailbox)
                try await shell.type(mailbox)
            }
            let told = try await installation.control("GET", "/sandbox/slack")["messages"]?.array
            #expect(told?.isEmpty == false, "nothing came of the channel's test")
            let thresholds = try await installation.run("finops", "threshold", "list", "--json").expecting().json()
            #expect(thresholds.array?.count == 1, "\(thresholds.text)")
        }
    }

    // MARK: Prices

    @Test func whatItSaysOfPricesWorksAsWritten() async throws {
        let lines = try Readme.lines(of: "### Prices") { _ in false }
        #expect(lines.count > 7)
        try await whileItRuns { installation, shell, gateway in
            try await call(gateway, try await installation.issueKey(project: "chatbot").text)
            try await eventually("the call is on record") { try await installation.calls().count == 1 }
            let before = try #require(try await installation.calls().first?["cost_nano"]?.integer)
            try #"{"models":[{"provider":"openai","model":"house-7","prices":[{"input":"1","output":"2"}]}]}"#
                .write(to: shell.folder.appending(path: "prices.json"), atomically: true, encoding: .utf8)
            try await shell.type(#"finops person add "Lee" --administrator >lee-token.txt"#)
            var met: Set<String> = []
            for line in lines.map(Self.asOfToday) {
                let words = line.split(separator: " ").prefix(3).joined(separator: " ")
                met.insert(words)
                switch words {
                case "finops price correct":
                    try await shell.type(Readme.withoutComment(line) + " --dry-run")
                    #expect(try await installation.calls().first?["cost_nano"]?.integer == before)
                    try await shell.type(line)
                case "finops price approve":
                    try await answer(line, shell, installation)
                    try await answer(line.replacingOccurrences(of: "approve", with: "reject"), shell, installation)
                default: try await shell.type(line)
                }
            }
            #expect(met.isSuperset(of: ["set", "import", "correct", "approve"].map { "finops price \($0)" }), "\(met)")
            try await expectCorrected(installation, before)
        }
    }

    /// The days of the README are those around the one on which it was written.
    private static func asOfToday(_ line: String) -> String {
        guard let written = Day("2026-11-22") else { return line }
        let today = Day(utc: wallTime())
        return line.split(separator: " ", omittingEmptySubsequences: false).map { word in
            Day(word).map { "\(today.advanced(by: $0.number - written.number))" } ?? String(word)
        }.joined(separator: " ")
    }

    /// Asks for a price that somebody else has to answer, and gives the answer.
    private func answer(_ line: String, _ shell: ReadmeShell, _ installation: Installation) async throws {
        try await shell.type(
            "finops price set --provider openai --model house-7 --input \(line.contains("approve") ? 7 : 49) "
                + "--reason \"a jump\"")
        let waiting = try JSONValue.parse(try await shell.type("finops price pending --json")).array ?? []
        #expect(waiting.count == 1, "\(waiting)")
        let id = try #require(waiting.first?["id"]?.string)
        try await shell.type(
            line.replacingOccurrences(of: "price-01a2…", with: id)
                .replacingOccurrences(of: "--token-file FILE", with: "--token-file lee-token.txt"))
        let left = try JSONValue.parse(try await shell.type("finops price pending --json")).array
        #expect(left?.isEmpty == true)
    }

    /// What the section promises: both costs stay, the counts never change, and what was approved is in force.
    private func expectCorrected(_ installation: Installation, _ before: Int64) async throws {
        let call = try #require(try await installation.calls().first)
        let tokens = call["uncached_input_tokens"]?.integer ?? 0
        #expect(tokens > 0 && call["corrected_from"]?.text.contains("\(before)") == true, "\(call.text)")
        // 2.50 became 2.25 for each of a million.
        #expect(call["cost_nano"]?.integer == before - tokens * 250, "\(call.text)")
        let corrections = try await installation.run("reporter", "corrections", "--json").expecting().json()
        #expect(corrections.text.contains("invoice 7") && corrections.text.contains("\(before)"), "\(corrections.text)")
        let list = try await installation.run(
            "finops", "price", "list", "--provider", "openai", "--model", "house-7", "--json"
        ).expecting().json()
        #expect(list.array?.compactMap { $0["input"]?.string } == ["7"], "\(list.text)")
    }

    // MARK: The vault

    @Test func whatItSaysOfTheVaultWorksAsWritten() async throws {
        let lines = try Readme.lines(of: "### The vault") { _ in false }
        #expect(lines.count > 6)
        try await withKeyService { service in
            try await whileItRuns { installation, shell, gateway in
                let key = try await installation.issueKey(project: "chatbot").text
                try await call(gateway, key)
                let credentials = shell.folder.appending(path: ".aws")
                try FileManager.default.createDirectory(at: credentials, withIntermediateDirectories: true)
                try "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = CANARYwJalrXUtn\n".write(
                    to: credentials.appending(path: "credentials"), atomically: true, encoding: .utf8)
                try await shell.type(#"finops person add "Lee" --administrator >lee-token.txt"#)
                let person = try await shell.person("Lee")
                let master = try masterKey(installation)
                for line in lines {
                    var line = line.replacingOccurrences(of: "5f2a…", with: person)
                    if line.contains("vault kms set") {
                        line = "\(Readme.withoutComment(line)) --endpoint \(service.endpoint)"
                    }
                    let said = try await shell.type(line)
                    if line.contains("vault list") {
                        #expect(said.contains("gateway") && !said.contains("sk-proj-typed-0001"), "\(said)")
                    }
                    if line.contains("administrator left") { #expect(try masterKey(installation) != master) }
                    if line.contains("--to aws-kms") {
                        #expect(try await kinds(installation).contains("aws-kms"))
                        #expect(line.contains("and back: --to local"))
                    }
                    try await call(gateway, key)
                }
                try await shell.type("finops vault rotate --to local")
                #expect(try await kinds(installation) == ["local"])
                let people = try await shell.type("finops person list")
                #expect(!people.contains("Lee"), "\(people)")
                try await call(gateway, key)
            }
        }
    }

    private func masterKey(_ installation: Installation) throws -> Data {
        try Data(contentsOf: URL(filePath: StateDirectory(path: installation.directory).masterKey))
    }

    /// What secrets lie under.
    private func kinds(_ installation: Installation) async throws -> Set<String> {
        let rows = try await installation.run("finops", "vault", "list", "--json").expecting().json().array ?? []
        return Set(rows.compactMap { $0["wrapping"]?.string })
    }
}
