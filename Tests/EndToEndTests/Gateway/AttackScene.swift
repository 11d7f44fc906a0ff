import Foundation
import JSON
import TestSupport
import Testing

/// One gateway for all tests of a suite, a provider that does what a test asks for, and a place where nothing may arrive.
struct AttackScene: Sendable {
    let scene: GatewayScene
    let gateway: SceneGateway
    let provider: ProviderStandIn
    let trap: LocalServer
    let key: (id: String, text: String)
    /// Of another project.
    let otherKey: (id: String, text: String)

    @TaskLocal static var current: AttackScene?

    static var shared: AttackScene { get throws { try #require(current) } }

    /// How many calls the log has, when there is nothing on its way any more.
    func recorded() async throws -> Int { try await scene.installation.recordedCalls().count }

    /// Nothing of what a test does reaches the provider, and nothing of it is a call.
    func expectNothingPassed(_ body: () async throws -> Void) async throws {
        let (seen, told) = (provider.requests.count, try await recorded())
        try await body()
        #expect(provider.requests.count == seen)
        #expect(trap.seen == [])
        #expect(try await recorded() == told)
        // It serves as before.
        #expect(await gateway.post(key: key.text)?.status == 200)
        _ = try await scene.installation.recordedCalls(atLeast: told + 1)
    }
}

/// What a provider does, as the field `x-outcome` of a request says.
enum Outcome {
    static func reply(_ request: ProviderStandIn.Request, trap: UInt16) -> ProviderStandIn.Reply {
        let number = request.number
        let fine = SceneCall.answer(number, input: 9, output: 2)
        let outcome = request.field("x-outcome") ?? ""
        if outcome.hasPrefix("30") {
            let place = "Location: http://127.0.0.1:\(trap)/v1/chat/completions"
            return .text(answer("\(outcome) Elsewhere", headers: [place, "x-request-id: req-\(number)"]))
        }
        switch outcome {
        case "later": return .later(fine, milliseconds: 300)
        case "deep":
            let body = #"{"model":"gpt-4o","a":"# + String(repeating: "[", count: 100_000)
            return .text(answer("200 OK", headers: ["Content-Type: application/json"], body))
        case "inject":
            let model = "gpt-4o\u{202E}\u{1B}[31m\u{9B}2J"
            let fields = ["Content-Type: application/json", "x-request-id: req-\(number)\u{9B}31m\u{202E}"]
            return .text(
                answer(
                    "200 OK", headers: fields,
                    #"{"id":"c","model":"\#(model)","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#))
        default: return .text(fine)
        }
    }
}

/// Sets the scene once for a suite, and holds its gateway to its memory.
struct WithAttackScene: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let trap = LocalServer { _, connection in connection.write(answer("200 OK")) }
        let port = trap.port
        let provider = ProviderStandIn { Outcome.reply($0, trap: port) }
        let upstream = ["openai", "--name", "main", "--base-url", provider.url + "/v1"]
        try await GatewayScene.with(projects: ["chatbot", "search"], upstreams: [upstream]) { scene in
            let keys = (try await scene.key("chatbot"), try await scene.key("search"))
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(keys.0.text)
            _ = try await gateway.firstAnswer(keys.1.text)
            _ = try await scene.installation.recordedCalls(atLeast: 2)
            let attack = AttackScene(
                scene: scene, gateway: gateway, provider: provider, trap: trap, key: keys.0, otherKey: keys.1)
            try await AttackScene.$current.withValue(attack) { try await function() }
            #expect(!gateway.program.hasEnded, "\(gateway.program.standardErrorSoFar)")
            let peak = try gateway.peakMemory
            #expect(peak < 256, "\(peak) MiB were resident")
            await scene.end(gateway.program)
        }
    }
}

extension Trait where Self == WithAttackScene {
    static var attackScene: Self { Self() }
}
