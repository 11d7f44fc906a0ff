import ArgumentParser
import FinOps
import JSON
import Providers
import Runtime
import Secret
import Vault

/// The key service that secrets may lie under.
struct VaultKMSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kms", abstract: "Sets up AWS KMS for the vault.", subcommands: [Set.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Tries a key of AWS KMS and keeps how to reach it.",
            discussion: """
                The credentials are read from a file as AWS's own tools write it (aws_access_key_id, \
                aws_secret_access_key and perhaps aws_session_token under [default]); they go into the vault, under \
                the local master key. They need kms:GenerateDataKey, kms:Encrypt and kms:Decrypt on the key. Secrets \
                move there with finops vault rotate --to aws-kms. To leave KMS: finops vault rotate --to local, then \
                finops vault rm key-service, which takes the credentials away.
                Example: finops vault kms set --key-id alias/finops --region eu-central-1 --credentials-file ~/.aws/credentials
                """)

        @Option(name: .customLong("key-id"), help: "The key: its ARN, its id, or alias/NAME.") var keyID: String
        @Option(help: "Such as eu-central-1.") var region: String
        @Option(name: .customLong("credentials-file"), help: "File of credentials; - for standard input.")
        var credentialsFile: String
        @Option(help: "Another address than AWS's own of the region.") var endpoint: String?
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try checkRegion()
            let access = KMSAccess(
                region: try givenRegion(), endpoint: try givenEndpoint(), credentials: try credentials())
            let directory = try options.global.initialisedDirectory()
            let vault = try SecretStore.local(of: directory)
            let given = try providerID(keyID, option: "--key-id")
            let resource = try await KMSKey(given, access, transfer: .keyService).prove()
            let key = try KMSKey(resource, access, transfer: .keyService)
            try await checkOpens(vault, key)
            let settings = KeyServiceSettings(
                kind: KMSKey.kind, keyID: resource, access: access.secret,
                isWanted: try VaultKeys(of: directory).service()?.isWanted ?? false)
            let kept = try await AdministrationSession.run(options.global) { session in
                try await session.keep(
                    settings.secret, id: KeyServiceSettings.secretID, purpose: SecretPurpose.keyService, in: vault,
                    reason: options.reason)
            }
            try Answer(
                changed: kept.hasChanged, "\(resource) works",
                [
                    .init("key_id", .string(resource)), .init("region", .string(access.region)),
                    .init("endpoint", JSONValue(access.endpoint)), .init("in_use", .bool(settings.isWanted)),
                ]
            ).print(options.global)
            if access.credentials.sessionToken != nil, !options.global.quiet, !options.global.json {
                Output.message(
                    "warning: these credentials are temporary; when they end, nothing under AWS KMS opens until others are set"
                )
            }
            if !settings.isWanted, !options.global.quiet, !options.global.json {
                Output.message("move the secrets there with: finops vault rotate --to aws-kms")
            }
        }

        /// What lies under KMS already must open with these credentials as well.
        private func checkOpens(_ vault: SecretStore, _ key: KMSKey) async throws {
            let there = SecretStore(directory: vault.directory, wrapping: key)
            for entry in try vault.entries() where entry.wrapping.kind == KMSKey.kind {
                do throws(VaultError) { try await there.check(entry.id) } catch {
                    throw CommandFailure(
                        error.exitStatus, "what lies under AWS KMS already would not open any more: \(error)",
                        hint: "finops vault rotate --to local, with the settings as they are")
                }
            }
        }

        private func givenRegion() throws -> String {
            guard (1...64).contains(region.utf8.count),
                region.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
            else { throw CommandFailure(.usage, "--region: a region is written like eu-central-1") }
            return region
        }

        /// The full name of a key tells its region: `arn:aws:kms:eu-central-1:…`.
        private func checkRegion() throws {
            let parts = keyID.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.first == "arn", parts.count > 4, parts[3] != region else { return }
            throw CommandFailure(.usage, "--region: the key is in \(parts[3]), not in \(region)")
        }

        private func givenEndpoint() throws -> String? {
            guard let endpoint else { return nil }
            let address: ProviderAddress
            do { address = try ProviderAddress(endpoint, emptyPath: "") } catch {
                throw CommandFailure(.usage, "--endpoint: \(error)")
            }
            guard !address.isExposed else {
                throw CommandFailure(.usage, "--endpoint: keys would travel unencrypted to \(address); use https://")
            }
            return address.text
        }

        private func credentials() throws -> AWSCredentials {
            let file: Secret
            do { file = try Secret.read(from: credentialsFile, hasLines: true) } catch {
                throw CommandFailure(.usage, "--credentials-file: \(error)")
            }
            do { return try AWSCredentials(file: file) } catch {
                throw CommandFailure(.usage, "--credentials-file: \(error)")
            }
        }
    }
}
