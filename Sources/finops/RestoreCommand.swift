import ArgumentParser
import EventLog
import Foundation
import JSON
import Runtime
import Storage
import Vault

/// Puts a backup back.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Puts a backup into a state directory, after checking every byte of it.",
        discussion: """
            A directory that has events already is left alone, unless --replace sets what it has aside.
            Example: finops restore /backups/finops-2026-11-22.tar.gz --dir /var/lib/finops
            """)

    @Argument(help: "The backup: a directory or an archive.", completion: .file()) var source: String
    @Flag(help: "Set what the directory has aside, under names that end in .replaced.") var replace = false
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.stateDirectory()
        try directory.prepare()
        let unpacked = directory.run + "/restore.partial"
        try remove(unpacked)
        var backup = source
        if Archive.isNamed(source) {
            try makePrivateDirectory(unpacked)
            try await Archive.unpack(source, into: unpacked)
            backup = unpacked
        }
        let manifest = try BackupManifest.read(from: backup)
        try manifest.check(in: backup)
        try checkMasterKey(of: manifest, in: backup, for: directory)
        try restoreLog(from: backup, into: directory)
        try restoreFiles(manifest, from: backup, into: directory)
        try await forgetAgain(in: directory)
        try remove(unpacked)
        // The old projections tell of another log.
        try remove(directory.projectionsDirectory)
        try directory.prepare()
        try warnOfKeys(directory)
        _ = try await LogSession.withLog(directory) { try await $0.head() }
        try Answer(
            changed: true, "\(directory.path) has the \(manifest.head) events of \(source)",
            [
                .init("dir", .string(directory.path)), .init("head", .integer(manifest.head)),
                .init("files", .integer(manifest.files.count)), .init("includes_keys", .bool(manifest.includesKeys)),
            ]
        ).print(options)
    }

    /// Two master keys in one directory would leave half of the vault unreadable.
    private func checkMasterKey(of manifest: BackupManifest, in backup: String, for directory: StateDirectory) throws {
        let path = "keys/master.key"
        guard !LocalKeys(path: directory.masterKey).isChanging else {
            throw CommandFailure(
                .failure, "the master key of \(directory.path) is being changed",
                hint: "end that first: finops vault rotate; or restore into a new directory")
        }
        guard !replace, access(directory.masterKey, F_OK) == 0,
            let key = manifest.files.first(where: { $0.path == path })
        else { return }
        guard try BackupManifest.file(path, in: directory.path).sha256 == key.sha256 else {
            throw CommandFailure(
                .failure, "\(directory.masterKey) is another master key than the backup's",
                hint: "restore into a new directory, or say --replace to set the present one aside")
        }
    }

    private func restoreLog(from backup: String, into directory: StateDirectory) throws {
        let found = try LogBackup.restore(
            backup + "/log/events.db", into: LogFiles(database: directory.logDatabase), replace: replace)
        if let problem = found.problem {
            throw CommandFailure(
                .problemFound, "the log in \(source) is damaged at position \(problem.position): \(problem.reason)")
        }
    }

    private func restoreFiles(
        _ manifest: BackupManifest, from backup: String, into directory: StateDirectory
    ) throws {
        for file in manifest.files where file.path != "log/events.db" {
            let path = "\(directory.path)/\(file.path)"
            let content = try PrivateFile.read("\(backup)/\(file.path)")
            if access(path, F_OK) == 0 {
                if try PrivateFile.read(path) == content { continue }
                try rename(path, to: try freeName(for: path))
            }
            try makePrivateDirectory(PrivateFile.directory(of: path))
            try PrivateFile.prepare(content, for: path).commit()
        }
    }

    private func warnOfKeys(_ directory: StateDirectory) throws {
        guard access(directory.masterKey, F_OK) == 0 else {
            Output.message("warning: the backup has no master key: put yours back as \(directory.masterKey) (mode 600)")
            return
        }
        let local = LocalKeys(path: directory.masterKey)
        let vault = SecretStore(directory: directory.vault, keys: VaultKeys(of: directory))
        let paths: [String] = [local.path, local.successorPath].filter { path in access(path, F_OK) == 0 }
        let present = try paths.map { path in try LocalMasterKey.open(at: path).keyID }
        let lacking = try vault.entries().filter {
            $0.wrapping.kind == LocalMasterKey.kind && !present.contains($0.wrapping.id)
        }
        guard let first = lacking.first else { return }
        guard !local.isChanging else {
            Output.message(
                """
                warning: \(lacking.count) secrets lie under another master key, \(first.wrapping.id), than the backup's two: remove \
                them (finops vault list names them), or restore into a new directory
                """)
            return
        }
        Output.message(
            """
            warning: \(lacking.count) secrets lie under the earlier master key \(first.wrapping.id). Move \(local.path) to \
            \(local.successorPath), put the earlier key, as it was saved, in its place (mode 600), and run finops vault rotate
            """)
    }

    /// A backup remembers whom this directory has forgotten since.
    private func forgetAgain(in directory: StateDirectory) async throws {
        let vault = SecretStore(directory: directory.vault, keys: VaultKeys(of: directory))
        for id in try Person.forgotten(in: vault) {
            do throws(VaultError) {
                _ = try await Person.forget(id: id, in: vault, at: 0)
                _ = try vault.remove(Person.roleID(of: id))
            } catch {
                Output.message("warning: \(error); then once more: finops person forget \(id)")
            }
        }
    }

    /// Nothing that was ever a secret or a configuration is overwritten.
    private func freeName(for path: String) throws -> String {
        for number in 1...999 {
            let candidate = path + ".replaced" + (number == 1 ? "" : "-\(number)")
            if access(candidate, F_OK) != 0 { return candidate }
        }
        throw CommandFailure(.failure, "there are too many files named \(path).replaced")
    }
}
