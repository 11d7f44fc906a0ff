import EventLog
import FinOps
import Runtime
import Vault

/// Says in the log that a key of the vault is used, before it is: once in the program's life for each version of each key.
/// A use that cannot be recorded does not take place.
actor SecretUse {
    private let stage: String
    private let clock: PipelineClock
    private var recorded: Set<SecretEntry> = []

    init(stage: String, clock: PipelineClock) {
        self.stage = stage
        self.clock = clock
    }

    /// - Parameter subject: what it is used for, such as `openai/acme`.
    /// - Throws: `SourceFailure` that may pass, if the log does not take it.
    func record(_ entry: SecretEntry, for subject: String, in log: any EventStore)
        async throws(SourceFailure)
    {
        guard !recorded.contains(entry) else { return }
        do throws(StoreError) { try await append(entry, subject, to: log) } catch {
            throw SourceFailure(.unavailable, "the use of secret \"\(entry.id)\" cannot be recorded: \(error)")
        }
        recorded.insert(entry)
    }

    private func append(_ entry: SecretEntry, _ subject: String, to log: any EventStore)
        async throws(StoreError)
    {
        var used = WireSecretUsed()
        used.secretID = entry.id
        used.purpose = entry.purpose
        used.version = UInt32(clamping: entry.version)
        used.stage = stage
        used.subject = subject
        var random = SystemRandomNumberGenerator()
        let id = EventID.v7(at: clock.now(), using: &random)
        let event = FinOpsEvent.secretUsed(used).newEvent(id: id, occurred: clock.now())
        let session = try await log.openSession(ProducerName("\(stage)-\(id)"))
        _ = try await log.append(
            AppendRequest(session: session, sequence: 1, [StreamAppend(.secret(entry.id), [event])]))
    }
}
