import Foundation
import JSON
import Testing

/// The README's section on the gateway, followed word for word in a shell, with the sandbox in the providers' place.
@Suite(.serialized) struct ReadmeGatewayTests {
    @Test func everyLineOfItWorksAsWritten() async throws {
        let blocks = try Readme.blocks(of: "### The gateway")
        #expect(blocks.contains { $0.contains("import openai") })
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let up = try installation.start("finops", ["up"])
            defer { up.send(SIGKILL) }
            let shell = try ReadmeShell(installation)
            for block in blocks {
                if block.contains("import openai") {
                    try await shell.call(block, gateway: try await installation.gatewayAddress(up))
                } else {
                    for line in Readme.lines(of: block) { try await shell.type(line) }
                }
            }
            // What the section promises of the call: its cost by what the application said, and nobody's address.
            let call = try #require(try await installation.calls().first { $0["task_type"]?.string == "greeting" })
            #expect(call["intent"] == "welcome" && call["feature"] == "door" && call["metadata"] == ["release": "7"])
            #expect(call["user"]?.string?.hasPrefix("user-") == true && (call["cost_nano"]?.integer ?? 0) > 0)
            let kills = try await installation.run("reporter", "kills", "--json").expecting().json()["kills"]?.array
            let steps = (kills ?? []).flatMap { $0["steps"]?.array ?? [] }
            for step in ["delete-provider-key", "cap-provider-project"] {
                #expect(steps.contains { $0["step"]?.string == step && $0["outcome"]?.string == "done" }, "\(steps)")
            }
            up.send(SIGTERM)
            try await up.wait().expecting()
        }
    }
}
