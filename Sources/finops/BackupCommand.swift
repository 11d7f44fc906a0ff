import ArgumentParser
import EventLog
import Foundation
import JSON
import Runtime
import Storage
import Vault

/// Copies all that cannot be rebuilt: the log, the vault, the configuration.
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copies the log, the vault and the configuration, while everything runs.",
        discussion: """
            Into a directory, or into one file if the name ends in .tar, .tar.gz or .tgz. Without the master key \
            nobody can read the vault in it: keep the key elsewhere, or say --include-keys and keep the backup as you \
            keep a key.
            Example: finops backup /backups/finops-2026-11-22.tar.gz
            """)

    @Argument(help: "Where to; nothing may be there.", completion: .file()) var target: String
    @Flag(help: "Also copy the master key.") var includeKeys = false
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.initialisedDirectory()
        guard access(target, F_OK) != 0 else {
            throw CommandFailure(.failure, "\(target) exists already; a backup never replaces anything")
        }
        let partial = target + ".partial"
        try remove(partial)
        try makePrivateDirectory(partial)
        let manifest = try copy(directory, into: partial)
        if Archive.isNamed(target) {
            try await Archive.pack(partial, into: target)
            try remove(partial)
        } else {
            try rename(partial, to: target)
        }
        try Answer(
            changed: true, "the backup \(target) has \(manifest.head) events",
            [
                .init("path", .string(target)), .init("head", .integer(manifest.head)),
                .init("files", .integer(manifest.files.count)), .init("includes_keys", .bool(manifest.includesKeys)),
            ]
        ).print(options)
    }

    /// - Returns: what was copied, relative to the directory.
    private func copyFiles(of directory: StateDirectory, into backup: String) throws(VaultError) -> [String] {
        var paths = ["config.yaml", "pipeline.yaml"]
        try PrivateFile.makeDirectory(backup + "/vault")
        paths += try SecretStore.fileNames(in: directory.vault).map { "vault/\($0)" }
        if includeKeys {
            try PrivateFile.makeDirectory(backup + "/keys")
            let keys = LocalKeys(path: directory.masterKey)
            paths += [keys.path, keys.successorPath].map { String($0.dropFirst(directory.path.count + 1)) }
        }
        // There is a successor only while keys change, and a pipeline only where one was made.
        paths = paths.filter { access("\(directory.path)/\($0)", F_OK) == 0 }
        for path in paths {
            try PrivateFile.prepare(try PrivateFile.read("\(directory.path)/\(path)"), for: "\(backup)/\(path)")
                .commit()
        }
        return paths
    }

    private func copy(_ directory: StateDirectory, into backup: String) throws -> BackupManifest {
        try makePrivateDirectory(backup + "/log")
        // The log before the vault: a connection in the copied log then has its key in the copied vault.
        let head = try LogBackup.backup(
            LogFiles(database: directory.logDatabase), to: backup + "/log/events.db")
        let paths = try SecretStore.local(of: directory).exclusively { () throws(VaultError) in
            // Keys that change meanwhile would leave a vault without its key.
            try copyFiles(of: directory, into: backup)
        }
        let manifest = BackupManifest(
            created: try PipelineClock.load(from: directory).now(), head: head.position.value,
            files: try (["log/events.db"] + paths).map { try BackupManifest.file($0, in: backup) })
        try PrivateFile.prepare(
            Array((manifest.json.prettyText + "\n").utf8), for: "\(backup)/\(BackupManifest.name)"
        ).commit()
        return manifest
    }
}

/// Removes what an interrupted command left behind.
func remove(_ path: String) throws {
    if access(path, F_OK) == 0 { try FileManager.default.removeItem(atPath: path) }
}

/// - Throws: `SystemError`.
func rename(_ old: String, to new: String) throws {
    guard rename(old, new) == 0 else { throw SystemError("rename \(old) to \(new)") }
}
