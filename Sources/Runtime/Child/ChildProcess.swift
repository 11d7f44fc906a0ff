import CRuntime
import Foundation
package import Glibc
import Synchronization

/// How a child ended.
package enum ChildExit: Hashable, Sendable, CustomStringConvertible {
    /// By its own decision, with this exit code.
    case exited(Int32)
    /// By this signal.
    case signalled(Int32)

    package var isSuccess: Bool { self == .exited(0) }

    /// Ended by a signal, so not by its own decision.
    package var isKill: Bool { if case .signalled = self { true } else { false } }

    /// `exit 1`, `signal 9`: as status and log say it.
    package var description: String {
        switch self {
        case .exited(let code): "exit \(code)"
        case .signalled(let number): "signal \(number)"
        }
    }
}

/// A program started by this one. Its standard input may be a lifeline: a pipe that only this process holds open, so that
/// the child sees its end when this process is gone, however it went.
package final class ChildProcess: Sendable {
    /// What to start, and with what.
    package struct Request: Sendable {
        /// Of the program; no search in `PATH`.
        package var path: String
        /// Without the program's name.
        package var arguments: [String]
        /// All of it: nothing else is inherited.
        package var environment: [String: String]
        /// Standard input is a lifeline; otherwise it is empty.
        package var hasLifeline: Bool
        /// Descriptors of this process for the child's output; nil passes on our own.
        package var standardOutput: Int32?
        package var standardError: Int32?

        package init(
            path: String, arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment,
            hasLifeline: Bool = false, standardOutput: Int32? = nil, standardError: Int32? = nil
        ) {
            self.path = path
            self.arguments = arguments
            self.environment = environment
            self.hasLifeline = hasLifeline
            self.standardOutput = standardOutput
            self.standardError = standardError
        }
    }

    private struct State {
        var exit: ChildExit?
        var waiting: [CheckedContinuation<ChildExit, Never>] = []
        var lifeline: Int32?
    }

    /// Also of its process group.
    package let pid: pid_t
    private let state: Mutex<State>

    /// Starts a program in a process group of its own, so that a terminal's Ctrl-C reaches only us and we decide the order
    /// of stopping; with default signal handling, whatever we ignore.
    /// - Throws: `SystemError`.
    package init(_ request: Request) throws {
        var lifeline: [Int32] = [-1, -1]
        if request.hasLifeline {
            guard runtime_pipe(&lifeline) == 0 else { throw SystemError("make a pipe") }
        } else {
            lifeline[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)
        }
        defer { close(lifeline[0]) }
        do { pid = try spawn(request, standardInput: lifeline[0]) } catch {
            if lifeline[1] >= 0 { close(lifeline[1]) }
            throw error
        }
        state = Mutex(State(lifeline: lifeline[1] >= 0 ? lifeline[1] : nil))
        // Waiting blocks, so it has a small thread of its own; a child is a rare thing.
        Thread.detachNewThread { [self] in reap() }
    }

    /// How the child ended, once it has.
    package var exit: ChildExit? { state.withLock { $0.exit } }

    /// Waits for the child's end. Cancelling the task does not end the wait: whoever cancels also stops the child.
    package func waitForExit() async -> ChildExit {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                if state.exit == nil { state.waiting.append(continuation) }
                return state.exit
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    /// Sends a signal; nothing happens to a child that has ended.
    package func send(_ signal: Int32) {
        // Under the lock, because the pid is free for others as soon as the child is reaped.
        state.withLock { state in
            if state.exit == nil { kill(pid, signal) }
        }
    }

    /// Ends the lifeline, which asks the child to stop.
    package func closeLifeline() {
        state.withLock { state in
            if let descriptor = state.lifeline { close(descriptor) }
            state.lifeline = nil
        }
    }

    /// Asks the child to stop, and ends it by force when it has not done so in time.
    package func stop(within limit: Duration = .seconds(10)) async -> ChildExit {
        send(SIGTERM)
        closeLifeline()
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Cancelled as soon as the child has ended.
                do { try await Task.sleep(for: limit) } catch { return }
                self.send(SIGKILL)
            }
            let exit = await waitForExit()
            group.cancelAll()
            return exit
        }
    }

    private func reap() {
        var information = siginfo_t()
        // The zombie stays until the lock is held, so that no signal can go to a later process of the same number.
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (exit, waiting) = state.withLock { state in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let exit: ChildExit = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
            state.exit = exit
            if let descriptor = state.lifeline { close(descriptor) }
            state.lifeline = nil
            defer { state.waiting = [] }
            return (exit, state.waiting)
        }
        for continuation in waiting { continuation.resume(returning: exit) }
    }
}

private func spawn(_ request: ChildProcess.Request, standardInput: Int32) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_init(&actions)
    defer {
        posix_spawnattr_destroy(&attributes)
        posix_spawn_file_actions_destroy(&actions)
    }
    var all = sigset_t()
    var none = sigset_t()
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    posix_spawn_file_actions_adddup2(&actions, standardInput, STDIN_FILENO)
    if let descriptor = request.standardOutput {
        posix_spawn_file_actions_adddup2(&actions, descriptor, STDOUT_FILENO)
    }
    if let descriptor = request.standardError {
        posix_spawn_file_actions_adddup2(&actions, descriptor, STDERR_FILENO)
    }
    var pid: pid_t = 0
    let environment = request.environment.map { "\($0)=\($1)" }
    var code: Int32 = 0
    // A program that was written a moment ago is "busy" while another thread's child, between fork and exec, still holds
    // the descriptor it was written through: that passes within milliseconds.
    for _ in 0..<50 {
        code = withCStrings([request.path] + request.arguments) { arguments in
            withCStrings(environment) { posix_spawn(&pid, request.path, &actions, &attributes, arguments, $0) }
        }
        guard code == ETXTBSY else { break }
        usleep(2_000)
    }
    guard code == 0 else { throw SystemError("start \(request.path)", errno: code) }
    return pid
}

private func withCStrings<Result>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
) rethrows -> Result {
    let copies = texts.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return try body(copies)
}
