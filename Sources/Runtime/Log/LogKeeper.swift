import CRuntime
import EventLog
import FoundationEssentials
import Glibc

/// Sees to it that an `event-log` answers for a directory: the running one, or a child of ours.
actor LogKeeper {
    private static let startLimit = Duration.seconds(20)
    private static let stopLimit = Duration.seconds(10)
    /// How long a command leaves it to a pipeline that runs to start its log: commands that come one after another, each
    /// with a log of its own, would keep the pipeline from it.
    private static let pipelinePatience = Duration.seconds(5)

    private let directory: StateDirectory
    private let programs: ProgramLocator
    private let health: String
    private var child: (process: ChildProcess, messages: ChildMessages)?
    private var childHasServed = false
    /// Whether any `event-log` was started by us, so that nobody else follows up on what we appended.
    private(set) var hasStarted = false

    init(directory: StateDirectory, programs: ProgramLocator) throws {
        self.directory = directory
        self.programs = programs
        health = try directory.healthSocket(stage: "event-log")
    }

    /// Whether an `event-log` of this directory takes requests.
    private var isServed: Bool { HealthClient.get("/readyz", socket: health)?.status == 200 }

    /// Returns when a log takes requests. Two commands may come here at once: one child gets the lock, the other
    /// ends with "try again", and its parent connects to the first; when that one goes away, it starts its own after all.
    /// The log of `finops up` comes first.
    /// - Throws: `CommandFailure` if no log can be started or none answers in time.
    func ensureServing() async throws {
        let begun = ContinuousClock.now
        let deadline = begun + Self.startLimit
        var pause = Duration.milliseconds(2)
        while !isServed {
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(.tryAgain, "the log of \(directory.path) does not answer" + messages())
            }
            if let exit = child?.process.exit {
                // One that served, or was killed, is started again; one that ends by itself says why it cannot start.
                guard childHasServed || exit.isKill || exit == .exited(ExitStatus.tryAgain.rawValue) else {
                    throw CommandFailure(.failure, "event-log could not start (\(exit))" + messages())
                }
                child = nil
                try await Task.sleep(for: .milliseconds(20))
            }
            let isOurs =
                ContinuousClock.now > begun + Self.pipelinePatience || !FileLock.isHeld(path: directory.supervisorLock)
            if child == nil, isOurs, HealthClient.get("/livez", socket: health) == nil { try start() }
            // It may be another process's child: it tells that it serves only when asked.
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
        childHasServed = child != nil
    }

    private func start() throws {
        childHasServed = false
        let messages = try ChildMessages(directory: directory)
        var environment = ProcessInfo.processInfo.environment
        environment["FINOPS_LOG_LEVEL"] = "warning"
        let process = try ChildProcess(
            .init(
                path: try programs.path(of: "event-log"), arguments: ["serve", "--dir", directory.path, "--lifeline"],
                environment: environment, hasLifeline: true, standardOutput: messages.descriptor,
                standardError: messages.descriptor))
        child = (process, messages)
        hasStarted = true
    }

    /// Starts the log again whenever it vanishes: it may have been the child of another command that has ended. Calls that
    /// wait for an answer are repeated by the connection meanwhile. Ends when it is cancelled.
    func watch() async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: .milliseconds(250))
                try await ensureServing()
            } catch is CancellationError {
                return
            } catch {
                // The call that waits says so too, when its deadline has passed.
                Output.message("warning: \(error)")
            }
        }
    }

    /// Stops our child, if there is one.
    func stop() async {
        guard let process = child?.process else { return }
        let exit = await process.stop(within: Self.stopLimit)
        if !exit.isSuccess, exit != .exited(ExitStatus.tryAgain.rawValue) {
            Output.message("warning: event-log ended with \(exit)" + messages())
        }
        child = nil
    }

    private func messages() -> String {
        let text = child?.messages.text ?? ""
        return text.isEmpty ? "" : ":\n" + text
    }

    /// Runs `program catch-up` to its end; what it says is passed on only if it fails.
    func catchUp(_ program: String) async throws {
        let messages = try ChildMessages(directory: directory)
        let process = try ChildProcess(
            .init(
                path: try programs.path(of: program), arguments: ["catch-up", "--dir", directory.path],
                hasLifeline: true, standardOutput: messages.descriptor, standardError: messages.descriptor))
        let exit = await withTaskCancellationHandler {
            await process.waitForExit()
        } onCancel: {
            process.send(SIGTERM)
        }
        guard exit.isSuccess else {
            Output.message("warning: \(program) catch-up ended with \(exit); figures may be behind the log")
            Output.message(messages.text)
            return
        }
    }
}

/// What a child says, kept in a file without a name until somebody wants to know.
final class ChildMessages: Sendable {
    let descriptor: Int32
    private static let shownBytes = 8_192

    init(directory: StateDirectory) throws {
        descriptor = runtime_open_unnamed(directory.run)
        guard descriptor >= 0 else { throw SystemError("make a file in \(directory.run)") }
    }

    deinit { close(descriptor) }

    /// The end of what was said.
    var text: String {
        let size = lseek(descriptor, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: min(Int(size), Self.shownBytes))
        let count = bytes.withUnsafeMutableBytes {
            pread(descriptor, $0.baseAddress, $0.count, size - off_t($0.count))
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
