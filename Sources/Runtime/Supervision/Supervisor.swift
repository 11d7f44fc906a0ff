import EventLog
import FoundationEssentials
import Glibc
import JSON

/// Keeps the processes of a pipeline running: starts them in order, starts them again when they end, stops them in
/// reverse order.
package actor Supervisor {
    private struct Running {
        var child: ChildProcess?
        var entry: ProcessBoard.Entry
        var backoff = RestartBackoff()
        var readySince: ContinuousClock.Instant?
        var wasReady = false
        /// Its end has been recorded before it came.
        var isAnnounced = false
        var awaitingReady: [CheckedContinuation<Void, Never>] = []
        /// Finishing it ends the wait before the next start.
        var pause: AsyncStream<Void>.Continuation?
    }

    private static let stopLimit = Duration.seconds(9)
    /// What every level that is still to be stopped is left of the limit.
    private static let levelReserve = Duration.milliseconds(500)

    private let topology: Topology
    private let surroundings: Surroundings
    private var running: [String: Running] = [:]
    private var isStopping = false

    /// - Parameter topology: proved already.
    package init(_ topology: Topology, _ surroundings: Surroundings) {
        self.topology = topology
        self.surroundings = surroundings
        for process in topology.processes {
            running[process.name] = Running(entry: ProcessBoard.Entry(name: process.name, state: .waiting))
        }
    }

    /// Supervises until `stop()` has been called and everything has ended.
    /// - Throws: `SystemError` if not even the supervisor's own files can be written.
    package func run() async throws {
        try post()
        await withTaskGroup(of: Void.self) { group in
            for process in topology.processes { group.addTask { await self.supervise(process) } }
            group.addTask { await self.renewBoard() }
            // The board's task ends with the supervision, the others with their processes.
            for _ in topology.processes { await group.next() }
            group.cancelAll()
        }
        try post()
    }

    /// Stops all processes in reverse order of their start, within 10 s.
    package func stop() async {
        guard !isStopping else { return }
        isStopping = true
        for name in running.keys {
            running[name]?.pause?.finish()
            resumeWaiting(name)
        }
        let deadline = ContinuousClock.now + Self.stopLimit
        let levels = topology.levels
        for (index, level) in levels.enumerated().reversed() {
            if index == 0 { await settle(level) }
            let limit = deadline - ContinuousClock.now - Self.levelReserve * index
            await withTaskGroup(of: Void.self) { group in
                for process in level { group.addTask { await self.stop(process.name, within: max(limit, .zero)) } }
            }
        }
    }

    /// The last level holds the log, which cannot take the news of its own end: it is told beforehand.
    private func settle(_ level: [Topology.Process]) async {
        for process in level {
            guard let child = running[process.name]?.child, child.exit == nil else { continue }
            running[process.name]?.isAnnounced = true
            record(process.name, child.pid, .exited(outcome: "stopped", expected: true))
        }
        await surroundings.settle()
    }

    private func record(_ name: String, _ pid: Int32, _ what: SupervisionFact.What) {
        surroundings.record(
            SupervisionFact(process: name, pid: pid, what: what, occurred: surroundings.clock.now()))
    }

    private func stop(_ name: String, within limit: Duration) async {
        guard let child = running[name]?.child else { return }
        change(name) { $0.state = .stopping }
        _ = await child.stop(within: limit)
    }

    /// As of now.
    package var board: ProcessBoard {
        ProcessBoard(
            asOf: surroundings.clock.now(), entries: topology.processes.compactMap { running[$0.name]?.entry })
    }

    // MARK: One process

    /// Whatever its exit code: a person sees its lines and mends the cause, and then it comes back by itself.
    private func supervise(_ process: Topology.Process) async {
        for name in process.after { await waitUntilReady(name) }
        while !isStopping {
            await runOnce(process)
            if isStopping { break }
            await pause(process.name)
        }
        change(process.name) { $0.state = .stopped }
    }

    /// One life of a process.
    private func runOnce(_ process: Topology.Process) async {
        let name = process.name
        change(name) { ($0.state, $0.pid) = (.starting, nil) }
        running[name]?.readySince = nil
        do {
            let socket = try ReadinessSocket(
                path: try surroundings.directory.socketDirectory() + "/\(name).notify.sock")
            defer { socket.end() }
            let child = try start(process, notify: socket.path)
            running[name]?.child = child
            change(name) { $0.pid = child.pid }
            if process.readiness == .started { becameReady(name) }
            let assignments = socket.assignments
            let exit = await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await assignment in assignments where assignment == "READY=1" { await self.becameReady(name) }
                }
                let exit = await child.waitForExit()
                group.cancelAll()
                return exit
            }
            ended(process, child, exit)
        } catch {
            surroundings.line(name, "cannot be started: \(error)")
            change(name) { $0.lastExit = "\(error)" }
        }
    }

    private func start(_ process: Topology.Process, notify: String) throws -> ChildProcess {
        let line = surroundings.line
        let name = process.name
        let lines = try ChildLines { line(name, $0) }
        defer { close(lines.writeEnd) }
        var arguments = process.command.map { $0.replacing("{dir}", with: surroundings.directory.path) }
        // Seen in `ps`, and what tells the processes of two installations apart.
        if arguments == process.command { arguments += ["--dir", surroundings.directory.path] }
        arguments += topology.listening(of: process)
        var environment = surroundings.environment
        environment["FINOPS_HOME"] = surroundings.directory.path
        environment["NOTIFY_SOCKET"] = notify
        for (key, value) in surroundings.settings(process) { environment["FINOPS_" + key.uppercased()] = value }
        environment.merge(process.environment) { $1 }
        let path = arguments[0].contains("/") ? arguments[0] : try surroundings.programs.path(of: arguments[0])
        return try ChildProcess(
            .init(
                path: path, arguments: Array(arguments.dropFirst()) + ["--lifeline"], environment: environment,
                hasLifeline: true, standardOutput: lines.writeEnd, standardError: lines.writeEnd))
    }

    private func becameReady(_ name: String) {
        guard let child = running[name]?.child, child.exit == nil, running[name]?.readySince == nil else { return }
        running[name]?.readySince = .now
        running[name]?.wasReady = true
        change(name) { $0.state = .ready }
        record(name, child.pid, .ready)
        resumeWaiting(name)
    }

    private func ended(_ process: Topology.Process, _ child: ChildProcess, _ exit: ChildExit) {
        running[process.name]?.child = nil
        change(process.name) { ($0.pid, $0.lastExit) = (nil, exit.description) }
        if !isStopping { surroundings.line(process.name, "ended with \(exit)") }
        if running[process.name]?.isAnnounced == false {
            record(process.name, child.pid, .exited(outcome: exit.description, expected: isStopping))
        }
    }

    private func pause(_ name: String) async {
        let readyFor = running[name]?.readySince.map { ContinuousClock.now - $0 }
        guard let delay = running[name]?.backoff.ended(readyFor: readyFor), !isStopping else { return }
        change(name) {
            $0.state = .restarting
            $0.restarts += 1
        }
        let (stops, continuation) = AsyncStream.makeStream(of: Void.self)
        running[name]?.pause = continuation
        await withTaskGroup(of: Void.self) { group in
            // Cancelled when stopping ends the wait.
            group.addTask { do { try await Task.sleep(for: delay) } catch { return } }
            group.addTask { for await _ in stops {} }
            await group.next()
            group.cancelAll()
        }
        running[name]?.pause = nil
    }

    // MARK: Waiting for each other

    private func waitUntilReady(_ name: String) async {
        guard !isStopping, running[name]?.wasReady == false else { return }
        await withCheckedContinuation { running[name]?.awaitingReady.append($0) }
    }

    private func resumeWaiting(_ name: String) {
        let waiting = running[name]?.awaitingReady ?? []
        running[name]?.awaitingReady = []
        for continuation in waiting { continuation.resume() }
    }

    // MARK: The board

    private func change(_ name: String, _ change: (inout ProcessBoard.Entry) -> Void) {
        guard var entry = running[name]?.entry else { return }
        change(&entry)
        guard entry != running[name]?.entry else { return }
        running[name]?.entry = entry
        do { try post() } catch { surroundings.line("supervisor", "\(error)") }
    }

    private func post() throws {
        try writeFileAtomically(surroundings.directory.processBoard, board.document.text + "\n")
    }

    private func renewBoard() async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: .seconds(5))
                try post()
            } catch is CancellationError {
                return
            } catch {
                surroundings.line("supervisor", "\(error)")
            }
        }
    }
}
