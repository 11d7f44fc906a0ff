import EventLog
import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import Storage
import SwiftProtobuf
import TestSupport

/// A log, a gateway or two, and a provider on loopback, without the rest of the pipeline.
struct GatewayScene: Sendable {
    let installation: Installation
    let log: RunningProgram
    static let upstreamKey = "sk-proj-CANARY-upstream-5f1d7c20"

    /// Initialises a directory with projects of a team, sets the upstreams, and starts the log.
    /// - Parameters:
    ///   - upstreams: what is typed behind `finops upstream set`.
    ///   - configuration: lines of `config.yaml`.
    ///   - atNoon: whether all of it goes by a clock on which no day ends during the test.
    static func with(
        projects: [String] = ["chatbot"], upstreams: [[String]], configuration: [String] = [], atNoon: Bool = false,
        _ body: (GatewayScene) async throws -> Void
    ) async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            try installation.configure(configuration)
            if atNoon { try installation.startClockAtNoon() }
            let log = try await installation.serveLog()
            defer { log.send(SIGKILL) }
            let scene = GatewayScene(installation: installation, log: log)
            let file = installation.root.appending(path: "upstream-key")
            try Data(upstreamKey.utf8).write(to: file)
            try await installation.run("finops", "team", "add", "apps").expecting()
            for project in projects {
                try await installation.run("finops", "project", "add", project, "--team", "apps").expecting()
            }
            for upstream in upstreams {
                try await installation.run(
                    "finops", arguments: ["upstream", "set"] + upstream + ["--key-file", file.path]
                ).expecting()
            }
            try FileManager.default.removeItem(at: file)
            try await body(scene)
            await scene.end(log)
        }
    }

    /// Starts a gateway on some port of loopback, and waits until it serves.
    func gateway(_ name: String = "gateway", settings: [String: String] = [:]) async throws -> SceneGateway {
        try await start(name, port: 0, settings: settings).serves()
    }

    /// - Parameter port: 0 for any: `listens` tells which.
    func start(_ name: String, port: UInt16, settings: [String: String] = [:]) throws -> SceneGateway {
        var installation = installation
        installation.environment["FINOPS_GATEWAY_LISTEN"] = "127.0.0.1:\(port)"
        installation.environment.merge(settings) { $1 }
        return SceneGateway(
            name: name, port: port, program: try installation.start("gateway", ["run", "--name", name]))
    }

    /// By SIGTERM; by SIGKILL if that is not enough.
    func end(_ program: RunningProgram) async {
        program.send(SIGTERM)
        _ = await program.wait(limit: .seconds(20))
    }

    /// A new key of a project, as only the application has it, and its id.
    func key(_ project: String = "chatbot", _ arguments: String...) async throws -> (id: String, text: String) {
        let issued = try await installation.run(
            "finops", arguments: ["key", "issue", "--project", project, "--json"] + arguments
        ).expecting().json()
        guard let id = issued["id"]?.string, let text = issued["key"]?.string else {
            throw Unexpected("no key in \(issued.text)")
        }
        return (id, text)
    }
}

/// A gateway of a scene.
struct SceneGateway: Sendable {
    let name: String
    let port: UInt16
    let program: RunningProgram

    /// Waits until it listens.
    /// - Returns: the same with the port that it has.
    func listens() async throws -> SceneGateway {
        SceneGateway(name: name, port: try await program.listeningPort(), program: program)
    }

    /// Waits until it answers by plain HTTP.
    /// - Returns: the same with the port that it has.
    @discardableResult
    func serves() async throws -> SceneGateway {
        let gateway = try await listens()
        try await eventually("\(name) serves: \(program.standardErrorSoFar)") {
            if program.hasEnded { throw Unexpected("\(name) has ended: \(program.standardErrorSoFar)") }
            return await gateway.get("/") != nil
        }
        return gateway
    }

    /// What it says of itself; empty while it does not.
    func readiness(_ scene: GatewayScene) throws -> String {
        let socket = try StateDirectory(path: scene.installation.directory).healthSocket(stage: name)
        return HealthClient.get("/readyz?verbose", socket: socket)?.body ?? ""
    }

    private func get(_ path: String) async -> HTTPAnswer? {
        await send("GET \(path) HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
    }

    /// The bytes as they are, over a connection of their own.
    /// - Returns: nil if there was no whole answer.
    func send(_ bytes: String, limit: Duration = .seconds(30)) async -> HTTPAnswer? {
        await ParallelCalls.run([.init(ports: [port], request: bytes)], limit: limit)[0]
    }

    /// A call as a client of OpenAI sends it.
    func post(
        _ path: String = "/v1/chat/completions", key: String, _ body: String = SceneCall.chat, fields: [String] = []
    ) async -> HTTPAnswer? {
        await send(SceneCall.post(path, key: key, body, fields: fields))
    }

    /// Waits until it knows the key and has its upstreams' keys.
    func firstAnswer(_ key: String, _ body: String = SceneCall.chat) async throws -> HTTPAnswer {
        var answer: HTTPAnswer?
        try await eventually("\(name) lets a call through, not \(answer.map { "\($0)" } ?? "nothing")") {
            if program.hasEnded { throw Unexpected("\(name) has ended: \(program.standardErrorSoFar)") }
            answer = await post(key: key, body)
            return answer?.status == 200
        }
        guard let answer else { throw Unexpected("no answer") }
        return answer
    }

    /// The most memory that was ever resident, in MiB.
    var peakMemory: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
            guard let kibibytes = line.split(separator: " ").compactMap({ Int($0) }).first else {
                throw Unexpected("no VmHWM in \(status)")
            }
            return kibibytes >> 10
        }
    }
}

/// Requests, byte for byte.
enum SceneCall {
    static let chat = #"{"model":"gpt-4o-2024-08-06","messages":[{"role":"user","content":"is it?"}],"max_tokens":300}"#

    static func post(
        _ path: String = "/v1/chat/completions", key: String?, _ body: String, fields: [String] = []
    ) -> String {
        let lines =
            ["POST \(path) HTTP/1.1", "Host: gateway.example"] + (key.map { ["Authorization: Bearer \($0)"] } ?? [])
            + [
                "Content-Type: application/json", "Content-Length: \(body.utf8.count)", "Connection: close",
            ] + fields
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    /// A provider's answer to a chat, with its request id.
    static func answer(_ number: Int, model: String = "gpt-4o-2024-08-06", input: Int, output: Int) -> String {
        TestSupport.answer(
            "200 OK", headers: ["Content-Type: application/json", "x-request-id: req-\(number)"],
            """
            {"id":"chatcmpl-\(number)","object":"chat.completion","created":1795000000,"model":"\(model)",\
            "choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],\
            "usage":{"prompt_tokens":\(input),"completion_tokens":\(output),"total_tokens":\(input + output)},\
            "service_tier":"default"}
            """)
    }
}

extension RunningProgram {
    /// The port of a gateway, once it says where it listens.
    func listeningPort() async throws -> UInt16 {
        var port: UInt16?
        try await eventually("it listens: \(standardErrorSoFar)") {
            if hasEnded { throw Unexpected("the gateway has ended: \(standardErrorSoFar)") }
            // The last line may be half written.
            let lines = standardErrorSoFar.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let line = lines.first { $0.contains("msg=listening") && $0.contains("address=") }
            let words = line?.split(separator: " ") ?? []
            let address = words.first { $0.hasPrefix("address=") }
            port = address?.split(separator: ":").last.flatMap { UInt16($0) }
            return port != nil
        }
        guard let port else { throw Unexpected("no port") }
        return port
    }
}

extension Installation {
    /// Adds lines to `config.yaml`.
    func configure(_ lines: [String]) throws {
        let path = StateDirectory(path: directory).configuration
        let before = try String(contentsOfFile: path, encoding: .utf8)
        try (before + "\n" + lines.joined(separator: "\n") + "\n").write(
            toFile: path, atomically: true, encoding: .utf8)
    }
}
