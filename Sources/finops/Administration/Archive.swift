import Foundation
import Runtime

/// A directory in one file, by the system's `tar`.
enum Archive {
    /// - Returns: whether a path is to be an archive: `.tar`, `.tar.gz` or `.tgz`.
    static func isNamed(_ path: String) -> Bool { [".tar", ".tar.gz", ".tgz"].contains { path.hasSuffix($0) } }

    /// Writes beside `target` first, closed to others before anything is in it: it may hold the master key.
    /// - Throws: `CommandFailure` if tar is missing or fails, `SystemError`.
    static func pack(_ directory: String, into target: String) async throws {
        let partial = target + ".partial-archive"
        try remove(partial)
        // tar keeps the mode of a file that is there.
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemError("make \(partial)") }
        close(descriptor)
        let compression = target.hasSuffix(".tar") ? [] : ["--gzip"]
        do {
            try await tar(
                ["--create", "--force-local"] + compression + ["--file", partial, "--directory", directory, "."])
        } catch {
            try remove(partial)
            throw error
        }
        try rename(partial, to: target)
    }

    static func unpack(_ file: String, into directory: String) async throws {
        try await tar(["--extract", "--force-local", "--no-same-owner", "--file", file, "--directory", directory])
    }

    private static func tar(_ arguments: [String]) async throws {
        let places: [String] = ["/usr/bin/tar", "/bin/tar"]
        guard let path = places.first(where: { access($0, X_OK) == 0 }) else {
            throw CommandFailure(.failure, "this machine has no tar", hint: "name a directory instead of a file")
        }
        let exit = try await ChildProcess(
            .init(path: path, arguments: arguments, environment: ["PATH": "/usr/bin:/bin"], hasLifeline: false)
        ).waitForExit()
        guard exit.isSuccess else { throw CommandFailure(.failure, "tar ended with \(exit)") }
    }
}
