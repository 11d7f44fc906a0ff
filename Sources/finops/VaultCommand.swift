import ArgumentParser
import EventLog
import Foundation
import JSON
import Runtime
import Secret
import Vault

/// Secrets by hand.
struct VaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault", abstract: "Keeps, lists and removes encrypted secrets, and changes their keys.",
        subcommands: [Put.self, List.self, Remove.self, VaultRotateCommand.self, VaultKMSCommand.self])

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps a secret; the same again changes nothing, another one replaces it.",
            discussion: "Example: finops vault put smtp-password --file password.txt")

        @Argument(help: "The secret's id.") var id: String
        @Option(
            name: [.customLong("file"), .customLong("key-file")], help: "File that holds it; - for standard input.")
        var file: String
        @Option(help: "What it may be used for.") var purpose = SecretPurpose.general
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let secret: Secret
            do { secret = try Secret.read(from: file) } catch { throw CommandFailure(.usage, "--file: \(error)") }
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let kept = try await AdministrationSession.run(options.global) { session in
                try await session.keep(secret, id: id, purpose: purpose, in: vault, reason: options.reason)
            }
            try Answer(
                changed: kept.hasChanged, "the vault holds \(id), version \(kept.version)",
                [.init("id", .string(id)), .init("version", .integer(kept.version))]
            ).print(options.global)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the secrets, never their values; each is opened to see that it is whole.",
            discussion: "Example: finops vault list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let vault = try SecretStore.local(of: try options.initialisedDirectory())
            var table = Table([
                .init("id"), .init("purpose"), .init("version", .right), .init("created"), .init("wrapping"),
                .init("key_id", title: "key id"), .init("state"),
            ])
            var damaged: [String] = []
            for id in try vault.ids() {
                do throws(VaultError) {
                    let entry = try vault.entry(id)
                    _ = try await vault.secret(id, for: entry.purpose)
                    let created = Date(timeIntervalSince1970: TimeInterval(entry.created)).ISO8601Format()
                    table.rows.append([
                        .string(id), .string(entry.purpose), .integer(entry.version), .string(created),
                        .string(entry.wrapping.kind), .string(entry.wrapping.id), "whole",
                    ])
                } catch {
                    damaged.append(error.message)
                    table.rows.append([.string(id), .null, .null, .null, .null, .null, .string(error.code.rawValue)])
                }
            }
            try table.write(options.json ? .json : .table)
            guard damaged.isEmpty else { throw CommandFailure(.problemFound, damaged.joined(separator: "\n")) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Removes a secret for good.",
            discussion: "Example: finops vault rm smtp --reason \"not used any more\"", aliases: ["remove"])

        @Argument(help: "The secret's id.") var id: String
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            if id == KeyServiceSettings.secretID { try checkNothingLies(in: vault) }
            let hasChanged = try await AdministrationSession.run(options.global) { session in
                try await session.forget(id, in: vault, reason: options.reason)
            }
            try Answer(changed: hasChanged, "the vault holds no \(id)", [.init("id", .string(id))])
                .print(options.global)
        }

        /// Without the way to the key service nobody could open what lies under its key.
        private func checkNothingLies(in vault: SecretStore) throws {
            let there = try vault.entries().filter { $0.wrapping.kind != LocalMasterKey.kind }
            guard there.isEmpty else {
                throw CommandFailure(
                    .failure, "\(there.count) secrets lie under the key service",
                    hint: "move them first: finops vault rotate --to local")
            }
        }
    }
}
