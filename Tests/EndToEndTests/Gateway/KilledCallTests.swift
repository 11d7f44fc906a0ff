import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import Spool
import TestSupport
import Testing

/// What a kill -9 of the gateway cuts short is recorded by its next run: once, with what had passed, and held to the limit.
@Suite(.serialized) struct KilledCallTests {
    private static let words = ["one", "two", "three", "four", "five", "six", "seven"]

    /// As much of a stream as the words, or all of it but its end, and then nothing more.
    private static func beginning(isTold: Bool) -> String {
        let usage = """
            data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":[],\
            "usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}\n\ndata: [DONE]\n\n
            """
        let events = words.map { word in
            """
            data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06",\
            "choices":[{"index":0,"delta":{"content":"\(word)"},"finish_reason":null}]}\n\n
            """
        }.joined()
        return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n" + events
            + (isTold ? usage : "")
    }

    @Test func whatAKillCutsShortIsRecordedOnceWithWhatHadPassed() async throws {
        let provider = ProviderStandIn { request in
            if request.body.contains("never") { return .nothing }
            if request.body.contains("\"stream\":true") {
                return .text(Self.beginning(isTold: request.body.contains("whole")))
            }
            return .text(SceneCall.answer(request.number, input: 9, output: 2))
        }
        try await GatewayScene.with(upstreams: [["openai", "--name", "main", "--base-url", provider.url]]) { scene in
            let key = try await scene.key()
            let first = try await scene.gateway()
            _ = try await first.firstAnswer(key.text)
            let known = provider.requests.count
            let silent = SceneCall.chat.replacingOccurrences(of: "is it?", with: "never")
            let named = ["X-FinOps-Task-Type: summary", "X-FinOps-User: ann"]
            // More metadata than a place of the file has room for.
            let pairs = (0..<16).map { #""name\#($0)":"\#(String(repeating: "v", count: 250))""# }
            let much = named + ["X-FinOps-Metadata: {\(pairs.joined(separator: ","))}"]
            let port = first.port
            let requests = [named, much].map { SceneCall.post(key: key.text, silent, fields: $0) }
            async let answers = ParallelCalls.run(requests.map { .init(ports: [port], request: $0) })
            let streaming = SceneCall.chat.replacingOccurrences(of: #"{"model""#, with: #"{"stream":true,"model""#)
            let client = try #require(StayingClient(port: port))
            defer { client.close() }
            try await client.sends(SceneCall.post(key: key.text, streaming))
            try await client.reads(Self.words[6])
            let other = try #require(StayingClient(port: port))
            defer { other.close() }
            let whole = streaming.replacingOccurrences(of: "is it?", with: "whole")
            try await other.sends(SceneCall.post(key: key.text, whole))
            try await other.reads("[DONE]")
            try await eventually("all are under way") { provider.requests.count == known + 4 }
            try await kill(first)
            let none = await answers
            #expect(none.allSatisfy { $0 == nil })

            for _ in 0..<3 {
                let gateway = try await scene.gateway()
                let told = try await scene.installation.recordedCalls(atLeast: known + 4)
                #expect(told.count == known + 4)
                try await kill(gateway)
            }
            // A limit that comes now would hold what they may yet cost, in one place for each minute.
            #expect((1...2).contains(try left(scene).count))
            let all = try await scene.installation.recordedCalls()
            // To its client nothing was missing of it.
            let told = try #require(all.last { $0.ended == "complete" && $0.streamed })
            #expect(told.quantities.inputTokens == 9 && told.quantities.outputTokens == 12)
            #expect(told.cost.nanos == 9 * 2_500 + 12 * 10_000 && told.usageEstimated.isEmpty)
            #expect(told.status == 200 && told.firstByte > 0 && told.duration >= told.firstByte)
            let calls = all.filter { $0.ended == "gateway-killed" }
            #expect(calls.count == 3 && Set(calls.map(\.call)).count == 3)
            for call in calls {
                #expect(call.key == key.id && call.project == "chatbot" && call.upstream == "main")
                #expect(call.modelAsked == "gpt-4o-2024-08-06" && call.model == call.modelAsked)
                #expect(call.quantities.requests == 1 && call.quantities.inputTokens > 0)
                #expect(call.usageEstimated.hasPrefix("the gateway was killed"))
                let tokens = call.quantities
                #expect(call.cost.nanos == tokens.inputTokens * 2_500 + tokens.outputTokens * 10_000)
                #expect(!call.priceVersion.isEmpty && !call.hasBound && call.duration == 0)
            }
            let stream = try #require(calls.first { $0.streamed })
            #expect(stream.quantities.outputTokens == 7 && stream.status == 200 && stream.firstByte > 0)
            let silents = calls.filter { !$0.streamed }
            #expect(silents.allSatisfy { $0.quantities.outputTokens == 0 && $0.status == 0 && $0.firstByte == 0 })
            #expect(silents.allSatisfy { $0.context.taskType == "summary" && $0.context.user.hasPrefix("user-") })
            #expect(silents.allSatisfy { $0.context.metadata.isEmpty })

            let projector = try scene.installation.start("projector", ["run"])
            defer { projector.send(SIGKILL) }
            try await eventually("the report has them") {
                let rows = try await scene.installation.run("reporter", "calls", "--last", "1h", "--json").json()
                let cut = rows["calls"]?.array?.filter { $0["ended"]?.string == "gateway-killed" } ?? []
                return cut.count == 3 && cut.allSatisfy { $0["basis"]?.string == "estimated" }
            }
        }
    }

    @Test func whatAKillCutShortIsSetAsideHoweverOftenTheGatewayIsKilled() async throws {
        let provider = ProviderStandIn { _ in .nothing }
        let upstream = ["openai", "--name", "main", "--base-url", provider.url]
        try await GatewayScene.with(upstreams: [upstream], atNoon: true) { scene in
            try await scene.installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "0.01", "--policy", "block"
            ).expecting()
            let key = try await scene.key().text
            let first = try await scene.gateway()
            // 300 tokens of output are half of the limit: these are let through, and no more.
            let calls = (0..<12).map { _ in
                ParallelCalls.Call(ports: [first.port], request: SceneCall.post(key: key, SceneCall.chat))
            }
            async let answers = ParallelCalls.run(calls, attempts: 1)
            try await eventually("one is under way") { !provider.requests.isEmpty }
            try await eventually("the others are refused") {
                await first.post(key: key)?.status == 429
            }
            try await kill(first)
            _ = await answers
            let sent = provider.requests.count
            for _ in 0..<3 {
                let gateway = try await scene.gateway()
                var answer: HTTPAnswer?
                try await eventually("it refuses, not \(answer.map { "\($0)" } ?? "nothing")") {
                    answer = await gateway.post(key: key)
                    return answer?.status == 429
                }
                #expect(
                    answer?.body.contains("set aside for calls that an end of the gateway") == true,
                    "\(answer?.body ?? "")")
                let seconds = answer?.field("retry-after").flatMap { Int($0) } ?? 0
                #expect((600...901).contains(seconds), "\(seconds)")
                #expect(provider.requests.count == sent)
                #expect(try await scene.installation.recordedCalls(atLeast: sent).count == sent)
                try await kill(gateway)
                // However many they were: one for each minute in which what is set aside for them is over.
                #expect((1...2).contains(try left(scene).count))
            }
        }
    }

    @Test(arguments: [true, false])
    func anotherGatewaysFolderIsNotTakenForItsOwn(_ hasCallUnderWay: Bool) async throws {
        let provider = ProviderStandIn { request in
            request.body.contains("never") ? .nothing : .text(SceneCall.answer(request.number, input: 9, output: 2))
        }
        let upstream = ["openai", "--name", "main", "--base-url", provider.url]
        try await GatewayScene.with(upstreams: [upstream]) { scene in
            let key = try await scene.key().text
            let first = try await scene.gateway()
            _ = try await first.firstAnswer(key)
            _ = try await scene.installation.recordedCalls(atLeast: 1)
            let directory = StateDirectory(path: scene.installation.directory)
            let (folder, copy) = (directory.gateway("gateway"), directory.gateway("gateway-2"))
            let client = try #require(StayingClient(port: first.port))
            defer { client.close() }
            if hasCallUnderWay {
                let silent = SceneCall.chat.replacingOccurrences(of: "is it?", with: "never")
                try await client.sends(SceneCall.post(key: key, silent))
                try await eventually("it is under way") { provider.requests.count == 2 }
            }
            try await kill(first)
            try FileManager.default.copyItem(atPath: folder, toPath: copy)
            if hasCallUnderWay {
                // All records have been delivered, as after days.
                for name in try FileManager.default.contentsOfDirectory(atPath: copy) where name.hasSuffix(".spool") {
                    try FileManager.default.removeItem(atPath: copy + "/" + name)
                }
            }
            let second = try scene.start("gateway-2", port: 0)
            let run = await second.program.wait(limit: .seconds(20))
            #expect(run.status != 0 && run.standardError.contains("holds calls of gateway gateway: "), "\(run)")
            #expect(run.standardError.contains(copy))
            // Nothing of it was touched or told.
            #expect(try UnderWayFile(copy + "/under-way", now: 0).left.count == (hasCallUnderWay ? 1 : 0))
            #expect(try await scene.installation.recordedCalls().count == 1)
            try FileManager.default.removeItem(atPath: copy)
            try await kill(try await scene.gateway("gateway-2"))
        }
    }

    private func left(_ scene: GatewayScene) throws -> [UnderWayFile.Left] {
        let path = StateDirectory(path: scene.installation.directory).gateway("gateway") + "/under-way"
        return try UnderWayFile(path, now: 0).left
    }

    private func kill(_ gateway: SceneGateway) async throws {
        gateway.program.send(SIGKILL)
        _ = await gateway.program.wait(limit: .seconds(20))
        #expect(gateway.program.hasEnded)
    }
}
