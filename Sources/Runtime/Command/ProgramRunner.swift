package import ArgumentParser
import CRuntime
import Dispatch
import Glibc

/// A command that should be able to tidy up when it is interrupted: SIGINT and SIGTERM cancel its task.
package protocol CancellableCommand: AsyncParsableCommand {}

extension ParsableCommand {
    /// The whole life of a program: reads the command line, runs the command, and ends with a code of the one table,
    /// with its data on stdout and its messages on stderr.
    package static func runProgram() async -> Never {
        // A reader that went away is an error of one write, not the end of a server.
        signal(SIGPIPE, SIG_IGN)
        // Whatever we write is about money and keys: SQLite's files too, which it makes readable for all otherwise.
        umask(0o077)
        disableCoreDumps()
        var command: any ParsableCommand
        do { command = try parseAsRoot() } catch { exit(withError: error) }
        do {
            try await run(&command)
        } catch is BrokenPipe {
            Glibc.exit(ExitStatus.success.rawValue)
        } catch {
            end(with: error)
        }
        Glibc.exit(ExitStatus.success.rawValue)
    }

    private static func run(_ command: inout any ParsableCommand) async throws {
        if let cancellable = command as? any CancellableCommand {
            try await runCancellably(cancellable)
        } else if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    }

    /// What ArgumentParser knows (help, usage, its own exit codes) it says itself; the rest goes by our table.
    private static func end(with error: any Error) -> Never {
        if error is ExitCode || exitCode(for: error) != .failure { exit(withError: error) }
        Output.message(error is CancellationError ? "cancelled" : "error: \(error)")
        Glibc.exit(ExitStatus.of(error).rawValue)
    }
}

/// Runs a command in a task that the first SIGINT or SIGTERM cancels; a second one ends the program at once.
private func runCancellably(_ command: some AsyncParsableCommand) async throws {
    let (signals, continuation) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler {
            continuation.yield()
            signal(number, SIG_DFL)
        }
        source.resume()
        return source
    }
    defer { for source in sources { source.cancel() } }
    let box = CommandBox(command: command)
    try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
            var command = box.command
            try await command.run()
            return true
        }
        group.addTask {
            for await _ in signals { return false }
            return false
        }
        // The first to end decides: a signal cancels the command, which then ends in its own way.
        while let finished = try await group.next() {
            if finished { break }
            group.cancelAll()
        }
        continuation.finish()
        group.cancelAll()
    }
}

/// Carries a parsed command into its task.
///
/// What: commands are not `Sendable`, because ArgumentParser's property wrappers are not.
/// Why safe: the value is made before the task begins, copied in it once, and never looked at outside again.
/// Why needed: cancelling a command needs a task for it.
private struct CommandBox<Command: AsyncParsableCommand>: @unchecked Sendable {
    let command: Command
}

/// Secrets in memory must not reach a file.
package func disableCoreDumps() {
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
}

/// To be called before a key is decrypted: a pipe that takes core dumps does not heed their limit, and other programs of
/// the same user could read this one's memory.
package func hideMemory() { _ = runtime_hide_memory() }

/// To be called first by a program whose threads each do much for a moment: every heap of malloc's keeps what it once
/// needed, and by default there are eight for each processor.
package func limitHeaps(_ heaps: Int32) { _ = runtime_limit_heaps(heaps) }
