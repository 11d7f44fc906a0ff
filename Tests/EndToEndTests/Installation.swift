import EventLog
import FinOps
import Foundation
import JSON
import Runtime

/// A state directory of its own with a provider of its own, and the commands a person would type into it.
struct Installation: Sendable {
    let root: URL
    let sandbox: RunningProgram
    let address: String
    /// Of the sandbox's mailbox: `smtp://127.0.0.1:…`.
    let mailbox: String
    /// What every program of it is told besides.
    var environment: [String: String] = [:]

    /// Another name is another state directory beside the same provider.
    var stateName = "state"

    var directory: String { root.appending(path: stateName).path }
    private var scratch: URL { root.appending(path: "scratch") }

    /// The admin key of the provider: a canary, too, for it must appear nowhere.
    static let adminKey = "sk-admin-CANARY-7f3e9b51c2d84a60"

    /// Runs `body` in a new installation and leaves nothing of it behind: no process, no file.
    /// - Parameter followsClock: whether the provider goes by the clock of the state directory.
    static func with(
        sandbox arguments: [String] = [], followsClock: Bool = false, _ body: (Installation) async throws -> Void
    ) async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "finops-\(UUID().uuidString.prefix(8))")
        let scratch = root.appending(path: "scratch")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { remove(root) }
        try Data(adminKey.utf8).write(to: root.appending(path: "key"))
        let portFiles = ["address", "mailbox"].map { root.appending(path: $0) }
        let sandbox = try RunningProgram(
            "sandbox",
            [
                "serve", "--lifeline", "--port-file", portFiles[0].path, "--smtp-port", "0", "--smtp-port-file",
                portFiles[1].path, "--key-file", root.appending(path: "key").path,
            ] + arguments + (followsClock ? ["--dir", root.appending(path: "state").path] : []), scratch: scratch,
            lifeline: true)
        defer { sandbox.send(SIGKILL) }
        try await eventually("the sandbox answers: \(sandbox.standardErrorSoFar)") {
            sandbox.hasEnded || portFiles.allSatisfy { FileManager.default.fileExists(atPath: $0.path) }
        }
        let addresses = try portFiles.map {
            try String(contentsOf: $0, encoding: .utf8).trimmingCharacters(in: .newlines)
        }
        let installation = Installation(root: root, sandbox: sandbox, address: addresses[0], mailbox: addresses[1])
        do { try await body(installation) } catch {
            await installation.endStragglers()
            throw error
        }
        let stragglers = await installation.endStragglers()
        guard stragglers.isEmpty else { throw Unexpected("left running: \(stragglers)") }
    }

    private static func remove(_ root: URL) {
        do { try FileManager.default.removeItem(at: root) } catch {
            FileHandle.standardError.write(Data("cannot remove \(root.path): \(error)\n".utf8))
        }
    }

    /// Ends whatever still works in this directory, the sandbox apart, and names it.
    @discardableResult
    func endStragglers() async -> [String] {
        // What was killed a moment ago may not be gone yet.
        let deadline = ContinuousClock.now + .seconds(5)
        var found = processes().filter { $0.pid != sandbox.pid }
        while !found.isEmpty, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
            found = processes().filter { $0.pid != sandbox.pid }
        }
        for process in found { kill(process.pid, SIGKILL) }
        return found.map { "\($0.pid) \($0.commandLine)" }
    }

    /// The processes whose command line or environment names this installation.
    func processes() -> [(pid: Int32, commandLine: String)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { name in
            guard let pid = Int32(name), pid != getpid() else { return nil }
            // A process may end while we look.
            let texts = ["cmdline", "environ"].map { file in
                let bytes = (try? Data(contentsOf: URL(filePath: "/proc/\(pid)/\(file)"))) ?? Data()
                return String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\0", with: " ")
            }
            return texts.contains { $0.contains(root.path) } ? (pid, texts[0]) : nil
        }
    }

    /// The process that runs a program for this installation; nil if none does.
    func process(_ program: String) -> Int32? {
        processes().first { ($0.commandLine.split(separator: " ").first ?? "").hasSuffix("/" + program) }?.pid
    }

    /// Starts a program with `--dir` of this installation.
    func start(_ program: String, _ arguments: [String], lifeline: Bool = false) throws -> RunningProgram {
        try RunningProgram(
            program, arguments + ["--dir", directory], scratch: scratch, environment: environment, lifeline: lifeline)
    }

    /// Starts the log, and waits until it serves: a command that came earlier would start one of its own, to which this one
    /// gives way, and from then on each command would let the other programs catch up.
    func serveLog() async throws -> RunningProgram {
        let log = try start("event-log", ["serve", "--lifeline"], lifeline: true)
        do {
            try await eventually("the log serves: \(log.standardErrorSoFar)") {
                if log.hasEnded { throw Unexpected("the log has ended: \(log.standardErrorSoFar)") }
                return log.standardErrorSoFar.contains("msg=ready")
            }
        } catch {
            log.send(SIGKILL)
            throw error
        }
        return log
    }

    @discardableResult
    func run(_ program: String, _ arguments: String...) async throws -> ProgramResult {
        await (try start(program, arguments)).wait()
    }

    @discardableResult
    func run(_ program: String, arguments: [String]) async throws -> ProgramResult {
        await (try start(program, arguments)).wait()
    }
}

extension Installation {
    /// Lets the clock of the initialised directory go on from tomorrow's noon in Seoul: no day and no week of its
    /// business ends while a test runs, and nothing that was recorded before lies ahead.
    func startClockAtNoon() throws {
        let now = wallTime()
        let noon = Day(utc: now).advanced(by: 1).utcStart.advanced(bySeconds: 3 * 3_600)
        try PipelineClock(scale: .init(start: noon, rate: 1, anchor: now)).store(in: StateDirectory(path: directory))
    }

    /// Initialises the directory and connects the sandbox as account `acme`.
    /// - Parameter pipeline: of a demo, whose clock begins then.
    func connect(pipeline: String? = nil) async throws {
        try await run("finops", arguments: ["init"] + (pipeline.map { ["--pipeline", $0] } ?? [])).expecting()
        try await run(
            "finops", "connect", "openai", "--name", "acme", "--base-url", address, "--key-file",
            root.appending(path: "key").path
        ).expecting()
    }

    /// The teams and projects of `Oracle.team(of:)`, with their mappings.
    func mapEverything() async throws {
        for team in Oracle.teams { try await run("finops", "team", "add", team).expecting() }
        for (project, team) in Oracle.projects {
            try await run("finops", "project", "add", project, "--team", team).expecting()
        }
        for (providerProject, project) in Oracle.projectMappings {
            try await run(
                "finops", "project", "map", "--provider", "openai", "--provider-project-id", providerProject,
                "--project", project
            ).expecting()
        }
        for (key, project) in Oracle.keyMappings {
            try await run(
                "finops", "key", "map", "--provider", "openai", "--provider-key-id", key, "--project", project
            ).expecting()
        }
    }

    func backfill(_ from: String, _ to: String) async throws -> ProgramResult {
        try await run("ingest-openai", "backfill", "--from", from, "--to", to)
    }

    func costs(by: String, _ from: String, _ to: String, basis: String = "metered") async throws -> JSONValue {
        try await run(
            "reporter", "costs", "--by", by, "--from", from, "--to", to, "--basis", basis, "--json"
        ).expecting().json()
    }

    /// Talks to the sandbox's control paths.
    func control(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        try await curl(["-X", method, address + path] + (body.map { ["-d", $0.text] } ?? []))
    }

    /// Asks the sandbox what a provider is asked.
    func get(_ path: String, key: String = adminKey) async throws -> JSONValue {
        try await curl(["-H", "Authorization: Bearer \(key)", address + path])
    }

    private func curl(_ arguments: [String]) async throws -> JSONValue {
        try JSONValue.parse(try await said(by: "/usr/bin/curl", ["-sS", "-g"] + arguments))
    }

    /// What a program of the system writes.
    /// - Throws: when it ends with another code than 0.
    func said(by path: String, _ arguments: [String]) async throws -> String {
        let output = scratch.appending(path: UUID().uuidString)
        let descriptor = open(output.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Unexpected("cannot write \(output.path)") }
        defer { close(descriptor) }
        let child = try ChildProcess(.init(path: path, arguments: arguments, standardOutput: descriptor))
        let exit = await child.waitForExit()
        guard exit.isSuccess else { throw Unexpected("\(path) \(arguments): \(exit)") }
        return try String(contentsOf: output, encoding: .utf8)
    }
}

extension Installation {
    /// Puts an event into the log past the commands that would refuse it, or the programs that would have to find it.
    /// - Parameter schema: another than 1 for what no program can read.
    func smuggle(_ event: FinOpsEvent, into stream: StreamName, schema: UInt16 = 1) async throws {
        var random = SystemRandomNumberGenerator()
        let now = wallTime()
        var new = event.newEvent(id: .v7(at: now, using: &random), occurred: now)
        new.schema = schema
        try await LogSession.withLog(StateDirectory(path: directory)) { store in
            let session = try await store.openSession(ProducerName("smuggler-\(new.id)"))
            _ = try await store.append(AppendRequest(session: session, sequence: 1, [StreamAppend(stream, [new])]))
        }
    }

    /// The files of the state directory that hold a text.
    func filesHolding(_ text: String) throws -> [String] {
        let needle = Data(text.utf8)
        let files = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return files.filter { $0 != "key" }.filter { file in
            // Sockets and directories have no contents.
            (try? Data(contentsOf: root.appending(path: file)))?.range(of: needle) != nil
        }
    }
}
