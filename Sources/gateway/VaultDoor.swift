import EventLog
import FinOps
import Foundation
import Logging
import Providers
import Runtime
import Secret
import Transfer
import Vault

/// Fetches from the vault what the gateway needs, whenever that may have changed, and says so in the log.
actor VaultDoor {
    private let directory: StateDirectory
    private let gateway: String
    private let keeper: UsageKeeper
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    /// How a key service is reached.
    private let transfer = TransferSettings.keyService(ProcessInfo.processInfo.environment)
    private var told: Set<SecretVersion> = []
    private var complaints: Set<String> = []
    /// Whether an attempt has ended, with whatever outcome.
    private(set) var hasTried = false
    private var failures = 0
    private var due = ContinuousClock.now
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

    /// Whether what failed is worth another try: a second after the first failure, later less often, since a key service
    /// that refuses is asked for nothing. A change in the log is followed at once.
    var isDue: Bool { ContinuousClock.now >= due }

    /// Fetches what is missing. What cannot be fetched is missed: its calls are refused, and it is tried again at the next
    /// change and when it `isDue`.
    /// - Returns: whether nothing is missing.
    @discardableResult
    func fetch(_ admission: Admission, _ desk: CallDesk) async -> Bool {
        let isComplete = await fetched(admission, desk)
        hasTried = true
        failures = isComplete ? 0 : failures + 1
        due = .now + .seconds(isComplete ? 0 : min(1 << min(failures - 1, 4), 15))
        return isComplete
    }

    private func fetched(_ admission: Admission, _ desk: CallDesk) async -> Bool {
        var isComplete = true
        do throws(VaultError) {
            let vault = SecretStore.under(
                vault: directory.vault, masterKey: directory.masterKey, transfer: transfer)
            if !desk.hasKeyHash {
                desk.cannotOpenKeyHash(true)
                if let secret = try await keyHash(vault) { desk.take(keyHash: secret) }
                desk.cannotOpenKeyHash(false)
            }
            for facts in admission.lackingCredentials {
                do throws(VaultError) {
                    let secret = try await vault.secret(facts.secretID, for: SecretPurpose.upstreamKey)
                    tell(try vault.entry(facts.secretID), for: "\(facts.provider.rawValue)/\(facts.name)")
                    admission.take(secret, for: facts)
                } catch {
                    isComplete = false
                    complain("the key of upstream \(facts.name) cannot be fetched", error)
                    // A key service that is out of reach is so for the others as well.
                    if error.isRetriable { break }
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
        // Whoever is stopped in between has nothing to complain of.
        guard !Task.isCancelled, complaints.insert("\(sentence): \(error)").inserted else { return }
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
        let version = SecretVersion(entry)
        guard told.insert(version).inserted else { return }
        var random = SystemRandomNumberGenerator()
        let now = now()
        keeper.keep(
            version.used(by: gateway, for: subject).newEvent(id: .v7(at: now, using: &random), occurred: now),
            in: .secret(entry.id))
    }
}
