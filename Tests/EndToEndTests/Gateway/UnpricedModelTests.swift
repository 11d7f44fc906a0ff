import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import Storage
import SwiftProtobuf
import TestSupport
import Testing

/// A model without a price that nobody but a caller of the gateway has met.
@Suite(.serialized) struct UnpricedModelTests {
    @Test func peopleHearOnceOfAModelThatACallMetAndAPriceEndsIt() async throws {
        let provider = ProviderStandIn { request in
            let model = request.body.contains("house-7") ? "house-7" : "house-8"
            return .text(SceneCall.answer(request.number, model: model, input: 1_000, output: 0))
        }
        let upstream = ["openai", "--name", "main", "--base-url", provider.url]
        try await GatewayScene.with(upstreams: [upstream]) { scene in
            try await setSlack(scene.installation)
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            let notifier = try scene.installation.start("notifier", ["run"])
            defer { notifier.send(SIGKILL) }
            let first = try scene.installation.start("projector", ["run"])
            defer { first.send(SIGKILL) }
            for _ in 1...3 { _ = try await gateway.firstAnswer(key, Self.chat("house-7")) }
            try await eventually("people are told: \(first.standardErrorSoFar)") {
                try await told(scene.installation) == ["house-7"]
            }
            await scene.end(first)

            // Another projector, and the collector, which meets the model in the usage of its own day.
            let second = try scene.installation.start("projector", ["run"])
            defer { second.send(SIGKILL) }
            try await collect("house-7", scene.installation)
            _ = try await gateway.firstAnswer(key, Self.chat("house-7"))
            _ = try await gateway.firstAnswer(key, Self.chat("house-8"))
            try await eventually("people are told of the other one: \(second.standardErrorSoFar)") {
                try await told(scene.installation).contains("house-8")
            }
            #expect(try await told(scene.installation) == ["house-7", "house-8"])
            #expect(try await events(of: "house-7", scene.installation).count == 2)
            #expect(try await events(of: "house-8", scene.installation).count == 1)
            try await expectPriced(scene, calls: 4)
            for program in [second, notifier, gateway.program] { await scene.end(program) }
        }
    }

    private static func chat(_ model: String) -> String {
        #"{"model":"\#(model)","messages":[{"role":"user","content":"is it?"}],"max_tokens":300}"#
    }

    private func setSlack(_ installation: Installation) async throws {
        let file = installation.root.appending(path: "webhook")
        try Data("\(installation.address)/slack/T1/B1/secret".utf8).write(to: file)
        try await installation.run("finops", "channel", "set", "slack", "--url-file", file.path).expecting()
    }

    /// The models that messages name, in the order of arrival.
    private func told(_ installation: Installation) async throws -> [String] {
        let messages = try await installation.control("GET", "/sandbox/slack")["messages"]?.array ?? []
        return messages.flatMap { message in
            ["house-7", "house-8"].filter { message.text.contains("no price for model \($0)") }
        }
    }

    private func collect(_ model: String, _ installation: Installation) async throws {
        let met = WireModelUnpriced.with {
            ($0.provider, $0.model, $0.account, $0.day) = ("openai", model, "acme", "2026-11-20")
            $0.reason = "no price for model \(model)"
        }
        try await installation.smuggle(.modelUnpriced(met), into: .unpriced(provider: "openai", model: model))
    }

    private func events(of model: String, _ installation: Installation) async throws -> [RecordedEvent] {
        let log = SQLiteEventReader(
            files: LogFiles(database: StateDirectory(path: installation.directory).logDatabase))
        return try await log.readAll(stream: .unpriced(provider: "openai", model: model))
    }

    /// A price for `house-7` reaches the calls that had none, though the day that its event names holds no usage.
    private func expectPriced(_ scene: GatewayScene, calls: Int64) async throws {
        let set = [
            "price", "set", "--provider", "openai", "--model", "house-7", "--input", "1", "--output", "2", "--from",
            "beginning", "--reason", "contract", "--json",
        ]
        let priced = try await scene.installation.run("finops", arguments: set).expecting().json()
        #expect(priced["repriced_calls"]?.integer == calls, "\(priced.text)")
        try await eventually("reports show it") {
            let answer = try await scene.installation.run(
                "reporter", arguments: ["costs", "--by", "model", "--basis", "estimated", "--last", "2d", "--json"]
            ).expecting().json()
            let row = answer["rows"]?.array?.first { $0["model"]?.string == "house-7" }
            // A thousand tokens at 1 USD per 1,000,000 each.
            return row?["cost_nano"]?.integer == calls * 1_000_000 && row?["unpriced_rows"]?.integer == 0
        }
    }
}
