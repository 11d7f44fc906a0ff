import EventLog
import FinOps
import Providers
import Runtime
import Secret
import Stages
import Synchronization
import Transfer
import Vault

/// Makes the source of a connection. The key is decrypted for it and lives as long as it does.
struct ConnectionOpener: Sendable {
    let directory: StateDirectory
    let clock: PipelineClock
    let settings: TransferSettings
    let listStyle: OpenAIEndpoint.ListStyle
    let legacyPerSecond: Double
    let uses: SecretUse

    /// - Parameter log: is told that the key is used.
    /// - Throws: `SourceFailure` (misconfigured) if the vault does not give the key or the address is unusable.
    func source(of connection: WireConnectionMade, log: any EventStore) async throws(SourceFailure)
        -> any UsageSource
    {
        let endpoint = try endpoint(of: connection)
        let secret = try await secret(of: connection, log: log)
        let transport = try transport()
        guard connection.api == "legacy" else {
            let patient = PatientTransport(transport, waiting: .by(clock))
            return OpenAIUsageSource(
                account: connection.account, endpoint: endpoint, secret: secret, transport: patient)
        }
        let patient = PatientTransport(transport, perSecond: legacyPerSecond, waiting: .by(clock))
        return OpenAILegacySource(account: connection.account, endpoint: endpoint, secret: secret, transport: patient)
    }

    /// - Throws: `SourceFailure` (misconfigured).
    func check(of connection: WireConnectionMade, log: any EventStore) async throws(SourceFailure) -> OpenAICheck {
        OpenAICheck(
            endpoint: try endpoint(of: connection), legacy: connection.api == "legacy",
            secret: try await secret(of: connection, log: log), transport: try transport())
    }

    private func endpoint(of connection: WireConnectionMade) throws(SourceFailure) -> OpenAIEndpoint {
        let base = connection.baseURL.isEmpty ? OpenAIEndpoint.standard : connection.baseURL
        return try OpenAIEndpoint(base: base, listStyle: listStyle)
    }

    private func secret(of connection: WireConnectionMade, log: any EventStore) async throws(SourceFailure) -> Secret {
        hideMemory()
        let entry: SecretEntry
        let secret: Secret
        do throws(VaultError) {
            let vault = SecretStore.under(
                vault: directory.vault, masterKey: directory.masterKey, transfer: settings)
            entry = try vault.entry(connection.secretID)
            secret = try await vault.secret(connection.secretID, for: SecretPurpose.providerCredential)
        } catch {
            throw SourceFailure(.misconfigured, error.message, isRetriable: error.isRetriable)
        }
        do throws(StoreError) {
            try await uses.record(SecretVersion(entry), for: "\(connection.provider)/\(connection.account)", in: log)
        } catch {
            throw SourceFailure(.unavailable, "the use of secret \"\(entry.id)\" cannot be recorded: \(error)")
        }
        return secret
    }

    private func transport() throws(SourceFailure) -> CurlTransport {
        do throws(TransferFailure) { return try CurlTransport(settings) } catch {
            throw SourceFailure(.misconfigured, error.message)
        }
    }
}

extension Waiting {
    /// Pauses go by the pipeline's clock; a frozen one, of a pipeline that was stopped, keeps nobody waiting longer than
    /// real time does. The request rate is the provider's and always real.
    static func by(_ clock: PipelineClock) -> Waiting {
        let started = ContinuousClock.now
        return Waiting(
            pause: { try await clock.pause(seconds: $0) },
            pace: { try await Task.sleep(for: .seconds($0)) },
            monotonic: { (ContinuousClock.now - started) / .seconds(1) },
            now: { clock.now().seconds },
            random: { Double.random(in: 0..<1) })
    }
}

extension PipelineClock {
    /// Sleeps business time where it passes, else real time.
    func pause(seconds: Double) async throws {
        if scale?.frozen == nil {
            try await sleep(seconds: seconds)
        } else {
            try await Task.sleep(for: .seconds(seconds))
        }
    }
}
