import EventLog
import FinOps
import Foundation
import Providers
import Runtime
import Secret
import Stages
import Transfer
import Vault

/// Opens a provider's administration with the admin key of a connected account. That the key is used is in the log before.
struct ProviderDoor: Sendable {
    let session: AdministrationSession
    let vault: SecretStore

    /// - Throws: `CommandFailure` for an account without an admin key; `VaultError`; `StoreError`.
    func administration(of account: String) async throws -> any ProviderAdministration {
        let stream = StreamName.connection(provider: Provider.openai.rawValue, account: account)
        guard let made = try await session.store.fold(stream, with: ConnectionRegister.self).state,
            made.api != ConnectCommand.API.legacy.rawValue
        else {
            throw CommandFailure(
                .failure, "account \"\(account)\" is not connected with an admin key",
                hint: "finops connect openai --name \(account) --key-file FILE")
        }
        let entry = try vault.entry(made.secretID)
        let secret = try await vault.secret(made.secretID, for: SecretPurpose.providerCredential)
        let now = session.now
        try await SecretUse(stage: "finops", now: { now }).record(
            SecretVersion(entry), for: "\(made.provider)/\(made.account)", in: session.store)
        let endpoint = try OpenAIEndpoint(base: made.baseURL.isEmpty ? OpenAIEndpoint.standard : made.baseURL)
        let transport = PatientTransport(try CurlTransport(Self.settings), waiting: .real)
        return OpenAIAdministration(endpoint: endpoint, secret: secret, transport: transport)
    }

    /// For an emergency, which goes on without what cannot be opened.
    func access(to upstream: WireUpstreamSet) async -> Emergency.Access {
        guard upstream.provider == UpstreamRegister.Provider.openai.rawValue else {
            return .missing(
                "provider \(upstream.provider) has no administration that is known here: act at its console")
        }
        do { return .granted(try await administration(of: upstream.account)) } catch let failure as CommandFailure {
            return .missing(failure.message + (failure.hint.map { ": \($0)" } ?? ""))
        } catch {
            return .missing("the admin key of account \"\(upstream.account)\" cannot be used: \(error)")
        }
    }

    /// Somebody waits, so a silent provider is given up sooner than by a collection.
    private static var settings: TransferSettings {
        let environment = ProcessInfo.processInfo.environment
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var settings = TransferSettings()
        settings.connectSeconds = 5
        settings.totalSeconds = 20
        settings.caBundle = variable("FINOPS_CA_FILE")
        settings.proxy = variable("FINOPS_PROXY")
        settings.userAgent = "finops"
        return settings
    }
}

extension Waiting {
    /// In real time, whatever the pipeline's clock says.
    fileprivate static var real: Waiting {
        let started = ContinuousClock.now
        return Waiting(
            pause: { try await Task.sleep(for: .seconds($0)) }, pace: { try await Task.sleep(for: .seconds($0)) },
            monotonic: { (ContinuousClock.now - started) / .seconds(1) },
            now: { Int64(Date.now.timeIntervalSince1970) }, random: { Double.random(in: 0..<1) })
    }
}

extension CommandFailure {
    /// What a provider's failure means for the command that met it.
    static func of(_ failure: SourceFailure, _ doing: String, hint: String) -> CommandFailure {
        CommandFailure(ExitStatus.of(failure.kind), "\(doing): \(failure.message)", hint: hint)
    }
}

extension ExitStatus {
    /// - Parameter kind: of what a provider did not do.
    static func of(_ kind: SourceFailure.Kind) -> ExitStatus {
        switch kind {
        case .notAuthorised: .notAuthorised
        case .throttled, .unreachable, .unavailable, .cancelled, .abandoned: .tryAgain
        case .malformedAnswer, .misconfigured, .refused, .notFound, .answerTooLarge: .failure
        }
    }
}
