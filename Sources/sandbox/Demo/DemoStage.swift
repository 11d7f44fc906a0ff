import EventLog
import Foundation
import JSON
import Runtime

/// The directory, the provider and the pipeline of one demo, and the commands a person would type.
actor DemoStage {
    nonisolated let directory: StateDirectory
    private let pipeline: String
    private let programs: ProgramLocator
    private var sandbox: ChildProcess?
    private var up: ChildProcess?

    /// What the administrator set up on Monday. A key's own mapping wins over its provider project's.
    static let teams = ["커머스", "고객지원", "데이터"]
    static let projects = [
        ("storefront", "커머스"), ("catalogue", "커머스"), ("helpdesk", "고객지원"), ("insights", "고객지원"),
        ("warehouse", "데이터"), ("lab", "데이터"),
    ]
    static let providerProjects = [
        ("proj_storefront", "storefront"), ("proj_catalogue", "catalogue"), ("proj_support", "helpdesk"),
        ("proj_analytics", "warehouse"),
    ]
    static let keys = [("key_analytics_reports", "insights")]
    /// Nobody claims the laboratory's key until Thursday.
    static let lateKey = ("key_lab_experiments", "lab")
    static let lateMapping = "2026-11-12T15:00:00+09:00"
    /// Friday morning's daily run meets a provider that is down.
    static let outage = "2026-11-13T08:00:00+09:00/2026-11-13T10:30:00+09:00"
    static let lastRun = "2026-11-16T09:00:00+09:00"

    init(directory: StateDirectory, pipeline: String) throws {
        self.directory = directory
        self.pipeline = pipeline
        programs = try .beside()
    }

    nonisolated var files: DemoFiles { DemoFiles(directory: directory.path) }
    private nonisolated var scratch: String { files.folder }

    /// Makes the directory, starts the provider, connects it, and sets up teams, projects and mappings.
    func prepare() async throws {
        say("a state directory in \(directory.path)")
        try await run("finops", "init", "--pipeline", pipeline)
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        let (address, mailbox) = try await startSandbox()
        let keyFile = scratch + "/admin-key"
        try Data(Serve.exampleKey.utf8).write(to: URL(filePath: keyFile))
        say("the sandbox provider at \(address)")
        try await run("finops", "connect", "openai", "--name", "acme", "--base-url", address, "--key-file", keyFile)
        for team in Self.teams { try await run("finops", "team", "add", team) }
        for (project, team) in Self.projects { try await run("finops", "project", "add", project, "--team", team) }
        for (id, project) in Self.providerProjects {
            try await run(
                "finops", "project", "map", "--provider", "openai", "--provider-project-id", id, "--project", project)
        }
        for key in Self.keys { try await map(key) }
        say("\(Self.teams.count) teams, \(Self.projects.count) projects; one key is left unmapped until Thursday")
        try await arm(slack: address, mailbox: mailbox)
    }

    private func map(_ key: (id: String, project: String)) async throws {
        try await run(
            "finops", "key", "map", "--provider", "openai", "--provider-key-id", key.id, "--project", key.project)
    }

    /// - Returns: the addresses of the provider and of the mailbox.
    private func startSandbox() async throws -> (String, String) {
        let ports = [files.address, "\(scratch)/mailbox"]
        let child = try start(
            "sandbox",
            [
                "serve", "--lifeline", "--port-file", ports[0], "--smtp-port", "0", "--smtp-port-file", ports[1],
                "--inbox", files.inbox, "--slack-limit", "--outage", Self.outage,
            ], log: "sandbox")
        sandbox = child
        while !ports.allSatisfy(FileManager.default.fileExists) {
            guard child.exit == nil else { throw CommandFailure(.failure, "the sandbox ended: \(log("sandbox"))") }
            // Another process makes the file, and nothing tells us.
            try await Task.sleep(for: .milliseconds(20))
        }
        let addresses = try ports.map {
            try String(contentsOfFile: $0, encoding: .utf8).trimmingCharacters(in: .newlines)
        }
        return (addresses[0], addresses[1])
    }

    /// Runs the pipeline on its scaled clock until Monday's daily run has collected Sunday.
    func playWeek() async throws {
        up = try start("finops", ["up", "--pipeline", pipeline], log: "up")
        let late = instant(Self.lateMapping)
        var day = ""
        var isMapped = false
        let deadline = ContinuousClock.now + .seconds(600)
        while try await !isOver() {
            guard up?.exit == nil else { throw CommandFailure(.failure, "finops up ended: \(log("up"))") }
            guard ContinuousClock.now < deadline else { throw CommandFailure(.tryAgain, "the week takes too long") }
            let now = try PipelineClock.load(from: directory).now()
            if !isMapped, now >= late {
                isMapped = true
                try await map(Self.lateKey)
                say("Thursday: \(Self.lateKey.0) is mapped to \(Self.lateKey.1), from the beginning")
            }
            let today = Self.localDay(now)
            if today != day, now < instant(Self.lastRun) { say("the clock shows \(today)") }
            day = today
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Whether the daily run of the Monday after has finished.
    private func isOver() async throws -> Bool {
        let last = instant(Self.lastRun)
        guard try PipelineClock.load(from: directory).now() > last else { return false }
        return try await runs().contains { run in
            run["kind"]?.string == "daily" && run["state"]?.string == "finished"
                && (run["to"]?.string ?? "") >= "2026-11-15"
        }
    }

    /// The collection runs, newest first.
    func runs() async throws -> [JSONValue] {
        try await json("reporter", "runs", "--limit", "1000", "--json")["runs"]?.array ?? []
    }

    private func instant(_ text: String) -> Timestamp { Timestamp(rfc3339: text) ?? .distantPast }

    static func localDay(_ time: Timestamp) -> String {
        CivilDay(number: (time.seconds + Week.zoneOffset) / 86_400).description
    }

    /// Stops the pipeline, which freezes its clock.
    func stopPipeline() async {
        if let exit = await up?.stop(within: .seconds(20)) { upExits.append(exit) }
        up = nil
    }

    /// Starts the pipeline again where its clock stood, which now runs as fast as any other.
    func goOn() async throws {
        let text = try String(contentsOfFile: pipeline, encoding: .utf8)
        let path = "\(scratch)/pipeline.yaml"
        try text.replacing(#/rate: [0-9.]+/#, with: "rate: 1").write(toFile: path, atomically: true, encoding: .utf8)
        up = try start("finops", ["up", "--pipeline", path], log: "up")
    }

    /// Stops the pipeline and the provider.
    func stop() async {
        await stopPipeline()
        _ = await sandbox?.stop()
        sandbox = nil
    }

    /// How each `finops up` ended.
    private(set) var upExits: [ChildExit] = []

    nonisolated func remove() {
        do { try FileManager.default.removeItem(atPath: directory.path) } catch {
            Output.message("cannot remove \(directory.path): \(error)")
        }
    }

    // MARK: Commands

    nonisolated func say(_ text: String) { Output.message("demo: \(text)") }

    private func start(_ program: String, _ arguments: [String], log: String) throws -> ChildProcess {
        let descriptor = open("\(scratch)/\(log).log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("write \(scratch)/\(log).log") }
        defer { close(descriptor) }
        return try ChildProcess(
            .init(
                path: try programs.path(of: program), arguments: arguments + ["--dir", directory.path],
                hasLifeline: true, standardOutput: descriptor, standardError: descriptor))
    }

    private nonisolated func log(_ name: String) -> String {
        // Said beside another error, which counts more than why there is nothing to quote.
        let text = (try? String(contentsOfFile: "\(scratch)/\(name).log", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(10).joined(separator: "\n")
    }

    @discardableResult
    func run(_ program: String, _ arguments: String...) async throws -> String {
        try await run(program, arguments: arguments)
    }

    func json(_ program: String, _ arguments: String...) async throws -> JSONValue {
        try await json(program, arguments: arguments)
    }

    func json(_ program: String, arguments: [String], inDirectory: Bool = true) async throws -> JSONValue {
        try JSONValue.parse(try await run(program, arguments: arguments, inDirectory: inDirectory))
    }

    /// Runs a command to its end.
    /// - Throws: `CommandFailure` with the command's own words.
    private func run(_ program: String, arguments: [String], inDirectory: Bool = true) async throws -> String {
        let handles = try ["out", "err"].map { try Self.scratchFile(suffix: $0) }
        let child = try ChildProcess(
            .init(
                path: try programs.path(of: program),
                arguments: arguments + (inDirectory ? ["--dir", directory.path] : []),
                standardOutput: handles[0].fileDescriptor, standardError: handles[1].fileDescriptor))
        let exit = await child.waitForExit()
        let texts = try handles.map { handle in
            try handle.seek(toOffset: 0)
            return String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
        }
        guard exit.isSuccess else {
            throw CommandFailure(.failure, "\(program) \(arguments.joined(separator: " ")): \(exit)\n\(texts[1])")
        }
        return texts[0]
    }

    /// A file without a name, for a command's output: no pipe that could fill up, nothing to remove.
    private static func scratchFile(suffix: String) throws -> FileHandle {
        let path = FileManager.default.temporaryDirectory.path + "/\(UUID().uuidString).\(suffix)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("write \(path)") }
        unlink(path)
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }
}
