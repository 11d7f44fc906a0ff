import Digest
import FoundationEssentials
import Glibc

/// Where everything of one pipeline lies: nobody else spells a path.
package struct StateDirectory: Hashable, Sendable {
    /// Absolute, without a trailing slash.
    package let path: String

    /// - Parameter path: absolute, or relative to the current directory.
    package init(path: String) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        self.path = URL(filePath: absolute).standardizedFileURL.path.trimmingSlashes
    }

    /// The operator's file: `Configuration`.
    package var configuration: String { path + "/config.yaml" }
    /// What runs: `Topology`, unless `--pipeline` names another.
    package var pipeline: String { path + "/pipeline.yaml" }

    /// The log and what belongs to it; nobody but `event-log` writes here.
    package var logDirectory: String { path + "/log" }
    /// Written by `event-log` alone; others open it read-only.
    package var logDatabase: String { logDirectory + "/events.db" }
    /// Held (flock) by the one `event-log` of this directory.
    package var logLock: String { logDirectory + "/lock" }

    /// Generations, each a database that can be built again from the log.
    package var projectionsDirectory: String { path + "/projections" }
    /// The symlink to the generation that readers get.
    package var currentProjection: String { projectionsDirectory + "/current.db" }
    /// The database of one generation.
    package func projection(generation: String) -> String { projectionsDirectory + "/\(generation).db" }

    /// One encrypted file for each secret.
    package var vault: String { path + "/vault" }
    /// Private keys of this machine, apart from the vault that one of them opens.
    package var keys: String { path + "/keys" }
    /// Without it the vault cannot be opened.
    package var masterKey: String { keys + "/master.key" }
    /// The secret CURVE key of this machine on the network.
    package var busKey: String { keys + "/bus.key" }
    /// To be given to the machine that is to let this one in.
    package var busPublicKey: String { keys + "/bus.pub" }
    /// The public keys that may reach this directory's log over the network.
    package var busAllowList: String { path + "/bus.allow" }

    /// Sockets, locks and what holds only while the pipeline runs.
    package var run: String { path + "/run" }
    /// Missing where real time holds.
    package var clock: String { run + "/clock.json" }
    /// Held (flock) by the one `finops up` of this directory.
    package var supervisorLock: String { run + "/up.lock" }
    /// What the supervisor says of its processes: `ProcessBoard`.
    package var processBoard: String { run + "/processes.json" }
    /// Where `ingest-openai` listens for an external scheduler, while it does.
    package var cronAddress: String { run + "/cron.address" }
    /// One file for each collection under way, locked by the process that runs it.
    package var collections: String { run + "/collections" }
    /// What waits on its way to the log.
    package var spool: String { path + "/spool" }
    /// A gateway's calls that wait, and what it admits calls by.
    package func gateway(_ name: String) -> String { spool + "/" + name }

    /// All directories, parents first; each is made with mode 0700.
    package var directories: [String] {
        [path, logDirectory, projectionsDirectory, vault, keys, run, spool]
    }
}

extension StateDirectory {
    /// Makes what is missing and closes what is open to others. Doing it again changes nothing.
    /// - Throws: `SystemError`.
    package func prepare() throws {
        for directory in directories { try makePrivateDirectory(directory) }
        // There may be none yet.
        guard chmod(masterKey, 0o600) == 0 || errno == ENOENT else { throw SystemError("close \(masterKey) to others") }
    }

    /// - Throws: `CommandFailure` if the directory was never initialised, or if its secrets are open to others.
    package func checkInitialised() throws {
        guard isDirectory(path), isDirectory(logDirectory) else {
            throw CommandFailure(
                .failure, "\(path) is not a FinOps state directory", hint: "make one with: finops init --dir \(path)")
        }
        let open = permissionProblems()
        guard open.isEmpty else {
            throw CommandFailure(
                .failure, open.joined(separator: "\n"), hint: "mend it with: finops init --dir \(path)")
        }
    }

    /// What of this directory is open to others or belongs to somebody else, as sentences.
    package func permissionProblems() -> [String] {
        var problems: [String] = []
        for (path, allowed) in directories.map({ ($0, mode_t(0o700)) }) + [(masterKey, mode_t(0o600))] {
            var status = stat()
            // A part may lie on another disk, behind a symlink: what counts is who may enter there.
            guard stat(path, &status) == 0 else { continue }
            if status.st_uid != geteuid() { problems.append("\(path) belongs to another user") }
            let mode = status.st_mode & 0o777
            if mode & ~allowed != 0 {
                problems.append("\(path) has mode \(String(mode, radix: 8)), more than \(String(allowed, radix: 8))")
            }
        }
        return problems
    }
}

/// Makes a directory that only its owner may enter, with its parents; one that is there is closed to others.
/// - Throws: `SystemError`.
package func makePrivateDirectory(_ path: String) throws {
    if mkdir(path, 0o700) == 0 { return }
    switch errno {
    case EEXIST where isDirectory(path):
        guard chmod(path, 0o700) == 0 else { throw SystemError("close \(path) to others") }
    case ENOENT:
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        guard !parent.isEmpty else { throw SystemError("make the directory \(path)", errno: ENOENT) }
        try makeParent("/" + parent)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("make the directory \(path)") }
    case let number: throw SystemError("make the directory \(path)", errno: number)
    }
}

/// Parents above the state directory are the user's own: they get the usual mode.
private func makeParent(_ path: String) throws {
    if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
        throw SystemError("make the directory \(path)")
    }
    try makeParent(String(path[..<slash]))
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw SystemError("make the directory \(path)") }
}

func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

extension String {
    fileprivate var trimmingSlashes: String {
        var text = self[...]
        while text.count > 1, text.hasSuffix("/") { text.removeLast() }
        return String(text)
    }
}
