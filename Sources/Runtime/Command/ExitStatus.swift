import EventLog

/// The one table of exit codes that all programs share.
package enum ExitStatus: Int32, Sendable {
    case success = 0
    /// Anything that no other code is for.
    case failure = 1
    /// A person, or a signal, stopped it.
    case cancelled = 2
    /// A check ran and found a problem.
    case problemFound = 3
    /// A credential or key was refused.
    case notAuthorised = 4
    /// A remote endpoint that was asked for by name does not answer.
    case endpointUnreachable = 5
    /// The command line says something that cannot be; nothing was done.
    case usage = 64
    /// The same command may succeed later.
    case tryAgain = 75
}

/// An error that knows with which code the program should end.
package protocol ExitStatusProviding: Error {
    var exitStatus: ExitStatus { get }
}

/// Ends a command: a sentence for stderr, the exit code, and where possible what mends it.
package struct CommandFailure: ExitStatusProviding, Hashable, CustomStringConvertible {
    package var exitStatus: ExitStatus
    package var message: String
    /// What to do about it, such as a command to run.
    package var hint: String?

    /// - Parameter exitStatus: a plain failure unless it says more.
    package init(_ exitStatus: ExitStatus = .failure, _ message: String, hint: String? = nil) {
        self.exitStatus = exitStatus
        self.message = message
        self.hint = hint
    }

    /// With the hint on a line of its own.
    package var description: String { hint.map { "\(message)\n\($0)" } ?? message }
}

extension ExitStatus {
    /// - Returns: the code for anything a command may throw; what nobody classified is a failure.
    package static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case let known as any ExitStatusProviding: known.exitStatus
        case is CancellationError: .cancelled
        case let store as StoreError: of(store)
        case let failure as StoreFailure: failure.isRetriable ? .tryAgain : .failure
        default: .failure
        }
    }

    private static func of(_ error: StoreError) -> ExitStatus {
        switch error {
        // Somebody else wrote first: the command reads again and decides again when it is repeated.
        case .refused(.conflict), .refused(.fenced): .tryAgain
        case .refused(.notAllowed): .notAuthorised
        case .refused(let refusal): refusal.isRetriable ? .tryAgain : .failure
        case .failed(let failure): failure.isRetriable ? .tryAgain : .failure
        }
    }
}
