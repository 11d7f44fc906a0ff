package import EventLog
package import FinOps

/// Says in the log that a secret of the vault is used, before it is: once in the program's life for each version of each
/// one. A use that cannot be recorded does not take place.
package actor SecretUse {
    private let stage: String
    private let now: @Sendable () -> Timestamp
    private var recorded: Set<SecretVersion> = []

    /// - Parameters:
    ///   - stage: the program that uses it.
    ///   - now: the pipeline's clock.
    package init(stage: String, now: @escaping @Sendable () -> Timestamp) {
        self.stage = stage
        self.now = now
    }

    /// - Parameter subject: what it is used for, such as `openai/acme` or `channel/slack`.
    /// - Throws: `StoreError` if the log does not take it.
    package func record(
        _ secret: SecretVersion, for subject: String, in log: any EventStore
    ) async throws(StoreError) {
        guard !recorded.contains(secret) else { return }
        let moment = now()
        var random = SystemRandomNumberGenerator()
        let id = EventID.v7(at: moment, using: &random)
        let event = secret.used(by: stage, for: subject).newEvent(id: id, occurred: moment)
        let session = try await log.openSession(ProducerName("\(stage)-\(id)"))
        try await log.append(AppendRequest(session: session, sequence: 1, [StreamAppend(.secret(secret.id), [event])]))
        recorded.insert(secret)
    }
}
