import Digest
import FoundationEssentials
import Glibc
package import Messaging

extension StateDirectory {
    /// A Unix socket's path ends at 108 bytes with its zero.
    private static let socketPathBytes = 107
    /// What the longest socket name of ours may take.
    private static let socketNameBytes = 40

    /// Where the sockets of this directory lie: `run/`, or, when that path is too long for a socket, a short private
    /// directory under the system's temporary folder, whose name follows from this directory's path and is recorded in
    /// `run/sockets`.
    /// - Throws: `SystemError` or `CommandFailure` if that directory cannot be made or is not ours alone.
    package func socketDirectory() throws -> String {
        if run.utf8.count + 1 + Self.socketNameBytes <= Self.socketPathBytes { return run }
        let record = run + "/sockets"
        if let recorded = try? String(contentsOfFile: record, encoding: .utf8), isPrivateDirectory(recorded) {
            return recorded  // An unreadable record is written anew below.
        }
        let digest = hexText(SHA256.hash(Array(path.utf8)).prefix(8))
        let base = FileManager.default.temporaryDirectory.path
        let short = (base.utf8.count <= 32 ? base : "/tmp") + "/finops-\(geteuid())-\(digest)"
        if mkdir(short, 0o700) != 0, errno != EEXIST { throw SystemError("make the directory \(short)") }
        guard isPrivateDirectory(short) else {
            throw CommandFailure(.failure, "\(short) is not a directory of ours alone: sockets cannot be put there")
        }
        try writeFileAtomically(record, short)
        return short
    }

    /// The sockets of the directory's own log. - Throws: as `socketDirectory`.
    package func endpoints() throws -> LogEndpoints {
        let sockets = try socketDirectory()
        return LogEndpoints(
            requests: "ipc://\(sockets)/log-requests.sock", events: "ipc://\(sockets)/log-events.sock")
    }

    /// Where `/livez`, `/readyz` and `/metrics` of a stage answer.
    package func healthSocket(stage: String) throws -> String { try socketDirectory() + "/\(stage).health.sock" }

    private func isPrivateDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
            && status.st_mode & 0o077 == 0
    }
}

/// Replaces a small private file (mode 0600) so that a reader sees the old or the new text, whole.
/// - Throws: `SystemError`.
package func writeFileAtomically(_ path: String, _ text: String) throws {
    let temporary = path + ".\(getpid())"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError("write \(temporary)") }
    do {
        try writeAll(descriptor, Array(text.utf8))
        guard fsync(descriptor) == 0 else { throw SystemError("flush \(temporary)") }
    } catch {
        close(descriptor)
        unlink(temporary)
        throw error
    }
    close(descriptor)
    guard rename(temporary, path) == 0 else { throw SystemError("replace \(path)") }
}

/// - Throws: `SystemError`, for a vanished reader with EPIPE.
func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) throws {
    var written = 0
    while written < bytes.count {
        let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 {
            written += count
        } else if errno == EAGAIN {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&waiting, 1, -1)
        } else if errno != EINTR {
            throw SystemError("write")
        }
    }
}
