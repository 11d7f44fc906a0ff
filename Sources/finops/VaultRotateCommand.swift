import ArgumentParser
import FinOps
import JSON
import Providers
import Runtime
import Vault

/// Moves the vault's secrets under other keys.
struct VaultRotateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Wraps every secret anew, under a new master key or by AWS KMS.",
        discussion: """
            Programs go on meanwhile. Killed at any moment, the same command goes on where it was; the old master key \
            is there until nothing lies under it. Without --to, secrets stay where they are and the local master key \
            becomes a new one. With --to aws-kms, what names people and the way to KMS itself stay under the local \
            key: nobody could disable a key while KMS is out of reach otherwise.
            Examples:
              finops vault rotate --reason "an administrator left"
              finops vault rotate --to aws-kms --reason "policy 12"
            """)

    /// Where secrets are to lie.
    enum Place: String, ExpressibleByArgument, CaseIterable {
        case local
        case awsKMS = "aws-kms"
    }

    @Option(help: "local, or aws-kms.") var to: Place?
    @OptionGroup var options: AdministrationOptions

    func run() async throws {
        let directory = try options.global.initialisedDirectory()
        let vault = try SecretStore.local(of: directory)
        let keys = VaultKeys(of: directory)
        let tally = try await AdministrationSession.run(options.global) { session in
            let isMoved = try await choose(keys, vault, in: session)
            return try await rotate(KeyRotation(vault, local: keys.local), keys, in: session, isMoved)
        }
        try answer(tally, try keys.local.current().name).print(options.global)
        if tally.hasNewKey, !options.global.quiet, !options.global.json {
            Output.message("save \(directory.masterKey) apart from backups; the one before opens older backups only")
        }
    }

    /// What became of the secrets.
    private struct Tally: Sendable {
        /// The local key is another one than before.
        var hasNewKey = false
        /// Wrapped anew, or known to the log as such only now.
        var moved = 0
        var secrets = 0
        var hasChanged = false
    }

    /// Says where new secrets lie from now on.
    /// - Returns: whether that is another place than before.
    private func choose(
        _ keys: VaultKeys, _ vault: SecretStore, in session: AdministrationSession
    ) async throws -> Bool {
        guard let to else { return false }
        guard var service = try keys.service() else {
            guard to == .awsKMS else { return false }
            throw CommandFailure(
                .failure, "AWS KMS is not set up",
                hint: "finops vault kms set --key-id ARN --region REGION --credentials-file FILE")
        }
        let isWanted = to == .awsKMS
        guard service.isWanted != isWanted else { return false }
        service.isWanted = isWanted
        _ = try await session.keep(
            service.secret, id: KeyServiceSettings.secretID, purpose: SecretPurpose.keyService, in: vault,
            reason: options.reason)
        return true
    }

    private func rotate(
        _ rotation: KeyRotation, _ keys: VaultKeys, in session: AdministrationSession, _ isMoved: Bool
    ) async throws -> Tally {
        var tally = Tally(hasChanged: isMoved)
        if to != .awsKMS { _ = try rotation.beginLocal() }
        tally.hasNewKey = keys.local.isChanging
        repeat {
            tally.secrets = 0
            try await rotation.rewrapAll { entry, hasChanged in
                // Whoever changes people's keys leaves no trail of who is known here.
                var isNews = false
                if !Person.isAbout(entry) { isNews = try await session.recordKey(of: entry, reason: options.reason) }
                tally.secrets += 1
                if hasChanged || isNews { tally.moved += 1 }
            }
        } while try !rotation.endLocal()
        tally.hasChanged = isMoved || tally.hasNewKey || tally.moved > 0
        return tally
    }

    private func answer(_ tally: Tally, _ local: KeyName) -> Answer {
        Answer(
            changed: tally.hasChanged,
            "\(tally.moved) of \(tally.secrets) secrets were wrapped anew; the local master key is \(local.id)",
            [
                .init("rewrapped", .integer(tally.moved)), .init("secrets", .integer(tally.secrets)),
                .init("local_key", .string(local.id)), .init("new_local_key", .bool(tally.hasNewKey)),
            ])
    }
}
