package import EventLog
import FinOps

/// Says in the log that a secret of the vault is used, before it is: once in the program's life for each version of each
/// one. A use that cannot be recorded does not take place.
package actor SecretUse {
    /// What the vault calls the secret that is used.
    package struct Version: Hashable, Sendable {
        package let id: String
        package let purpose: String
        /// From 1; each new value is one more.
        package let number: Int
        /// Unix seconds: one that was removed and stored anew begins again at 1.
        package let created: Int64

        package init(id: String, purpose: String, number: Int, created: Int64) {
            self.id = id
            self.purpose = purpose
            self.number = number
            self.created = created
        }
    }

    private let stage: String
    private let now: @Sendable () -> Timestamp
    private var recorded: Set<Version> = []

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
        _ secret: Version, for subject: String, in log: any EventStore
    ) async throws(StoreError) {
        guard !recorded.contains(secret) else { return }
        var used = WireSecretUsed()
        used.secretID = secret.id
        used.purpose = secret.purpose
        used.version = UInt32(clamping: secret.number)
        used.stage = stage
        used.subject = subject
        var random = SystemRandomNumberGenerator()
        let id = EventID.v7(at: now(), using: &random)
        let event = FinOpsEvent.secretUsed(used).newEvent(id: id, occurred: now())
        let session = try await log.openSession(ProducerName("\(stage)-\(id)"))
        try await log.append(AppendRequest(session: session, sequence: 1, [StreamAppend(.secret(secret.id), [event])]))
        recorded.insert(secret)
    }
}
