package import EventLog

/// A one-shot command's way to the log: the running `event-log` of a directory, or one started for the occasion.
package enum LogSession {
    /// In the order in which one works on what the other appended.
    private static let catchingUp = ["attributor", "threshold-watcher", "projector"]

    /// Runs `body` with the log of a directory. If nobody serves the log, `event-log` runs as a child meanwhile, and what
    /// was appended is attributed, watched and projected before it is stopped, so that a report is fresh without
    /// `finops up`.
    /// - Parameters:
    ///   - catchesUp: false for the programs that do the catching up themselves.
    ///   - programs: where the programs lie; beside the running one unless a test says otherwise.
    ///   - connector: how the log is reached.
    /// - Throws: what `body` throws; `CommandFailure` if the log cannot be reached or started, with `endpointUnreachable`
    ///   where it is one on another machine.
    package static func withLog<Result: Sendable>(
        _ directory: StateDirectory, catchesUp: Bool = true, programs: ProgramLocator? = nil,
        connector: LogConnector = .remote, _ body: (any EventStore) async throws -> Result
    ) async throws -> Result {
        // A log on another machine is kept there, and so is what follows from it.
        if try LogLink.of(directory).isElsewhere {
            let connection = try await connector.connect(directory)
            do {
                let outcome = try await body(connection.store)
                await connection.close()
                return outcome
            } catch {
                await connection.close()
                throw elsewhere(error)
            }
        }
        let keeper = try LogKeeper(directory: directory, programs: try programs ?? .beside())
        do {
            try await keeper.ensureServing()
            let connection = try await connector.connect(directory)
            let outcome = await watched(by: keeper) { try await body(connection.store) }
            // Also after a failure: what was appended before it is in the log. Where a pipeline runs, its own programs do that;
            // ours would end their sessions, though its log was away for a moment or slow to answer.
            if catchesUp, await keeper.hasStarted, !FileLock.isHeld(path: directory.supervisorLock) {
                try await keeper.ensureServing()
                for program in catchingUp { try await keeper.catchUp(program) }
            }
            await connection.close()
            await keeper.stop()
            return try outcome.get()
        } catch {
            await keeper.stop()
            throw error
        }
    }

    /// A log that the pipeline names by its address is a named endpoint: that it does not answer has a code of its own.
    private static func elsewhere(_ error: any Error) -> any Error {
        guard let store = error as? StoreError, case .failed(let failure) = store,
            failure.code == StoreFailure.logUnreachable
        else { return error }
        return CommandFailure(
            .endpointUnreachable, failure.message,
            hint:
                "see that the log runs there, that its addresses in the pipeline are right, and that it lists this key")
    }

    /// Runs `body` while the keeper looks after the log.
    private static func watched<Result: Sendable>(
        by keeper: LogKeeper, _ body: () async throws -> Result
    ) async -> Swift.Result<Result, any Error> {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await keeper.watch() }
            defer { group.cancelAll() }
            do { return .success(try await body()) } catch { return .failure(error) }
        }
    }
}
