import Channels
import EventLog
import FinOps
import FoundationEssentials
import Notices
import Providers
import Runtime
import Secret
import Stages
import Transfer
import Vault

/// Makes what delivers to a channel. Its secret is decrypted for that and lives as long as it does.
struct ChannelOpener: Sendable {
    private let directory: StateDirectory
    private let settings: ChannelSettings
    private let uses: SecretUse

    init(
        _ directory: StateDirectory, _ configuration: Configuration, _ clock: PipelineClock,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var transfer = TransferSettings()
        transfer.caBundle = variable("FINOPS_CA_FILE")
        transfer.proxy = variable("FINOPS_PROXY")
        transfer.userAgent = "finops-notifier"
        self.directory = directory
        settings = ChannelSettings(
            notice: NoticeSettings(consoleURL: configuration.consoleURL, zone: configuration.zone), transfer: transfer)
        uses = SecretUse(stage: Notifier.stage, now: { clock.now() })
    }

    /// - Parameter log: is told that the secret is used.
    /// - Throws: a refusal that may pass: people mend the vault and the channel.
    func deliverer(
        _ destination: String, _ channel: WireChannelSet, log: any EventStore
    ) async throws(DeliveryRefusal) -> any NoticeDelivering {
        let secret = try await secret(of: channel, log: log)
        do throws(ChannelProblem) {
            return try ChannelFactory.deliverer(destination: destination, secret: secret, settings: settings)
        } catch {
            throw .misconfigured(error.message)
        }
    }

    private func secret(of channel: WireChannelSet, log: any EventStore) async throws(DeliveryRefusal) -> Secret {
        hideMemory()
        let entry: SecretEntry
        let secret: Secret
        do throws(VaultError) {
            let vault = SecretStore.under(
                vault: directory.vault, masterKey: directory.masterKey, transfer: settings.transfer)
            entry = try vault.entry(channel.secretID)
            secret = try await vault.secret(channel.secretID, for: SecretPurpose.notificationChannel)
        } catch {
            throw .misconfigured(error.message)
        }
        do throws(StoreError) {
            try await uses.record(SecretVersion(entry), for: "channel/\(channel.channel)", in: log)
        } catch {
            throw DeliveryRefusal(
                DeliveryFailure(
                    code: "unavailable", message: "the use of secret \"\(entry.id)\" cannot be recorded: \(error)",
                    isRetriable: true))
        }
        return secret
    }
}

extension DeliveryRefusal {
    fileprivate static func misconfigured(_ message: String) -> DeliveryRefusal {
        DeliveryRefusal(DeliveryFailure(code: "misconfigured", message: message, isRetriable: true))
    }
}
