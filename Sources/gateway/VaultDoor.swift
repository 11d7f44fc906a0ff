import EventLog
import FinOps
import Logging
import Runtime
import Secret
import Vault

/// Fetches from the vault what the gateway needs, whenever that may have changed, and says so in the log.
actor VaultDoor {
    private let directory: StateDirectory
    private let gateway: String
    private let keeper: UsageKeeper
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private var told: Set<SecretEntry> = []
    private var complaints: Set<String> = []
    nonisolated let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(
        _ directory: StateDirectory, gateway: String, keeper: UsageKeeper, logger: Logger,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.directory = directory
        self.gateway = gateway
        self.keeper = keeper
        self.logger = logger
        self.now = now
    }

    /// Fetches what is missing. What cannot be fetched is missed: its calls are refused, and it is tried again at the next
    /// change and by `retry`.
    /// - Returns: whether nothing is missing.
    @discardableResult
    func fetch(_ admission: Admission, _ desk: CallDesk) async -> Bool {
        var isComplete = true
        do throws(VaultError) {
            let vault = SecretStore(
                directory: directory.vault, wrapping: try LocalMasterKey.open(at: directory.masterKey))
            if !desk.hasKeyHash {
                if let secret = try await keyHash(vault) { desk.take(keyHash: secret) }
            }
            for facts in admission.lackingCredentials {
                do throws(VaultError) {
                    let secret = try await vault.secret(facts.secretID, for: SecretPurpose.upstreamKey)
                    tell(try vault.entry(facts.secretID), for: "\(facts.provider.rawValue)/\(facts.name)")
                    admission.take(secret, for: facts)
                } catch {
                    isComplete = false
                    complain("the key of upstream \(facts.name) cannot be fetched", error)
                }
            }
        } catch {
            complain("the vault cannot be read", error)
            return false
        }
        if isComplete { complaints = [] }
        return isComplete
    }

    /// Once, however often it is tried.
    private func complain(_ sentence: String, _ error: VaultError) {
        guard complaints.insert("\(sentence): \(error)").inserted else { return }
        logger.warning("\(sentence)", metadata: ["error": "\(error)"])
    }

    /// - Returns: nil until the first key was issued.
    private func keyHash(_ vault: SecretStore) async throws(VaultError) -> Secret? {
        do throws(VaultError) {
            let secret = try await vault.secret(VirtualKey.hashSecretID, for: SecretPurpose.gatewayKeyHash)
            tell(try vault.entry(VirtualKey.hashSecretID), for: "keys")
            return secret
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Once in the program's life for each version; by way of the spool, so that the log may be away.
    private func tell(_ entry: SecretEntry, for subject: String) {
        guard told.insert(entry).inserted else { return }
        var used = WireSecretUsed()
        used.secretID = entry.id
        used.purpose = entry.purpose
        used.version = UInt32(clamping: entry.version)
        used.stage = gateway
        used.subject = subject
        var random = SystemRandomNumberGenerator()
        let now = now()
        keeper.keep(
            FinOpsEvent.secretUsed(used).newEvent(id: .v7(at: now, using: &random), occurred: now),
            in: .secret(entry.id))
    }
}
