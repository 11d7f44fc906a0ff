import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import SwiftProtobuf
import TestSupport
import Testing

/// Too much of everything: the gateway refuses it, serves others meanwhile, and stays below 256 MiB.
@Suite(.serialized, .attackScene) struct GatewayFloodTests {
    private static let mebibyte = 1 << 20

    @Test func aHundredMegabytesAreRefusedAndManyLargeBodiesAreBounded() async throws {
        let attack = try AttackScene.shared
        let start = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer \(attack.key.text)\r\n"
        try await attack.expectNothingPassed {
            // By what it announces, before anything of it comes.
            let announced = await attack.gateway.send(start + "Content-Length: 104857600\r\n\r\n{")
            #expect(announced?.status == 413 && announced?.body.contains("request_too_large") == true)
            // And by what comes, where nothing is announced.
            let chunk = "100000\r\n" + String(repeating: "x", count: Self.mebibyte) + "\r\n"
            let endless = start + "Transfer-Encoding: chunked\r\n\r\n" + String(repeating: chunk, count: 100)
            let call = ParallelCalls.Call(ports: [attack.gateway.port], request: endless)
            for answer in await ParallelCalls.run(Array(repeating: call, count: 4)) {
                #expect([413, 503].contains(answer?.status))
            }
        }
        let before = try await attack.recorded()
        let text = String(repeating: "x", count: 30 * Self.mebibyte)
        let large = #"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"\#(text)"}]}"#
        let request = SceneCall.post(key: attack.key.text, large, fields: ["X-Outcome: later"])
        let call = ParallelCalls.Call(ports: [attack.gateway.port], request: request)
        let statuses = await ParallelCalls.run(Array(repeating: call, count: 10)).map { $0?.status ?? 0 }
        #expect(statuses.allSatisfy { $0 == 200 || $0 == 503 } && statuses.contains(200), "\(statuses)")
        let served = statuses.count { $0 == 200 }
        #expect(try await attack.scene.installation.recordedCalls(atLeast: before + served).count == before + served)
        let peak = try attack.gateway.peakMemory
        #expect(peak < 256, "\(peak) MiB were resident")
    }

    /// Reports stay readable, and the gateway's memory bounded, whatever a caller invents.
    @Test func namesTooManyAreOthersAndTheirCostsStay() async throws {
        let attack = try AttackScene.shared
        let scene = attack.scene
        // Of its own, for what is known of a project stays.
        try await scene.installation.run("finops", "project", "add", "inventive", "--team", "apps").expecting()
        let key = try await scene.key("inventive").text
        _ = try await attack.gateway.firstAnswer(key)
        let calls = (0..<230).map { number in
            ParallelCalls.Call(
                ports: [attack.gateway.port],
                request: SceneCall.post(
                    key: key, SceneCall.chat,
                    fields: ["X-FinOps-Task-Type: task-\(number)", #"X-FinOps-Metadata: {"name-\#(number)":"a"}"#]))
        }
        let answers = await ParallelCalls.run(calls)
        #expect(answers.allSatisfy { $0?.status == 200 })
        var recorded: [WireCallRecorded] = []
        try await eventually("all are recorded") {
            recorded = try await scene.installation.recordedCalls().filter {
                $0.project == "inventive" && !$0.context.taskType.isEmpty
            }
            return recorded.count >= calls.count
        }
        let types = Dictionary(grouping: recorded, by: \.context.taskType).mapValues(\.count)
        #expect(types.count == 201 && types["other"] == 30, "\(types.count) types")
        #expect(Set(recorded.flatMap(\.context.metadata.keys)).count == 200)
        #expect(recorded.count == calls.count && recorded.allSatisfy { $0.cost.nanos > 0 })
    }

    @Test func jsonOfAHundredThousandLevelsEndsNothing() async throws {
        let attack = try AttackScene.shared
        let levels = 100_000
        let lists = String(repeating: "[", count: levels)
        let objects = String(repeating: #"{"a":"#, count: levels)
        try await attack.expectNothingPassed {
            for deep in [lists, objects, lists + String(repeating: "]", count: levels)] {
                for body in [
                    deep, #"{"model":"gpt-4o","messages":\#(deep)"#, #"{"metadata":\#(deep),"model":"gpt-4o"}"#,
                ] {
                    #expect(await attack.gateway.post(key: attack.key.text, body)?.status == 400)
                }
            }
        }
        let before = try await attack.recorded()
        let metadata = "X-FinOps-Metadata: " + String(repeating: #"{"a":"#, count: 1_600)
        #expect(await attack.gateway.post(key: attack.key.text, fields: [metadata])?.status == 200)
        let deep = try #require(await attack.gateway.post(key: attack.key.text, fields: ["X-Outcome: deep"]))
        #expect(deep.status == 200 && deep.body.hasSuffix("[["))
        let calls = try await attack.scene.installation.recordedCalls(atLeast: before + 2).suffix(2)
        #expect(calls.map(\.context.metadata.isEmpty) == [true, true])
        #expect(calls.last?.usageEstimated.isEmpty == false)
    }

    @Test func aThousandSlowConnectionsKeepNobodyWaiting() async throws {
        let attack = try AttackScene.shared
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer \(attack.key.text)\r\n"
        let before = try await attack.recorded()
        let slow = (0..<1_000).compactMap { _ in Loopback.connecting(to: attack.gateway.port) }
        defer { for descriptor in slow { close(descriptor) } }
        #expect(slow.count == 1_000)
        // Half of a head, or half of a body; then nothing more.
        for (place, descriptor) in slow.enumerated() {
            let part = Array((place.isMultiple(of: 2) ? "POST /v1/chat" : head + "Content-Length: 90\r\n\r\n{").utf8)
            try await eventually("connection \(place) is there") {
                send(descriptor, part, part.count, Int32(MSG_NOSIGNAL)) == part.count
            }
        }
        for _ in 0..<20 { #expect(await attack.gateway.post(key: attack.key.text)?.status == 200) }
        // Each is told that it took too long, and its connection ends.
        var statuses: [String: Int] = [:]
        var open = Set(slow)
        try await eventually("\(open.count) connections end", limit: .seconds(60)) {
            for descriptor in open {
                var bytes = [UInt8](repeating: 0, count: 4_096)
                let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
                if count > 0 { statuses[String(decoding: bytes.prefix(12), as: UTF8.self), default: 0] += 1 }
                if count == 0 || count < 0 && errno != EAGAIN { open.remove(descriptor) }
            }
            return open.isEmpty
        }
        #expect(statuses == ["HTTP/1.1 408": 1_000])
        #expect(try await attack.scene.installation.recordedCalls(atLeast: before + 20).count == before + 20)
    }

    // MARK: What ends up in logs and on terminals

    /// Nothing that moves a terminal's cursor, turns a line around or begins a new one is written anywhere.
    @Test func whatCallersAndProvidersSayCannotWriteLines() async throws {
        let attack = try AttackScene.shared
        let before = try await attack.recorded()
        let bad = "a\u{202E}\u{2066}b\u{9B}31mc\u{2028}d\u{FEFF}"
        let fields = ["Task-Type", "Intent", "Feature", "User"].map { "X-FinOps-\($0): \(bad)" }
        let metadata = #"X-FinOps-Metadata: {"\u001b[2J\#(bad)":"\r\nlevel=error msg=forged \u001b]0;x\u0007\#(bad)"}"#
        let all = fields + [metadata, "X-Outcome: inject"]
        #expect(await attack.gateway.post(key: attack.key.text, fields: all)?.status == 200)
        for model in [
            #"gpt-4o\u001b[31m"#, #"gpt-4o\r\nlevel=error"#, "gpt-4o\u{202E}", #"gpt\u2028-4o"#, "gpt\u{9B}31m",
        ] {
            let body = #"{"model":"\#(model)","messages":[]}"#
            #expect(await attack.gateway.post(key: attack.key.text, body)?.status == 400, "\(model)")
        }
        let call = try #require(try await attack.scene.installation.recordedCalls(atLeast: before + 1).last)
        #expect(call.context.taskType == "ab31mcd" && call.context.intent == "ab31mcd" && call.model == "gpt-4o[31m2J")
        #expect(call.context.metadata == ["[2Jab31mcd": "level=error msg=forged ]0;xab31mcd"])
        #expect(call.upstreamRequest.unicodeScalars.allSatisfy { (0x20..<0x7F).contains($0.value) })
        try await attack.scene.installation.run("projector", "catch-up").expecting()
        let report = try await attack.scene.installation.run("reporter", "calls", "--last", "1h").expecting()
        for text in [report.standardOutput, attack.gateway.program.standardErrorSoFar] {
            #expect(!text.unicodeScalars.contains { [0x1B, 0x9B, 0x202E, 0x2066, 0x2028].contains($0.value) })
            #expect(!text.split(separator: "\n").contains { $0.hasPrefix("level=error msg=forged") })
        }
    }
}
