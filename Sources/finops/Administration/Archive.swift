import Foundation
import Runtime

/// A directory in one file, by the system's `tar`.
enum Archive {
    /// - Returns: whether a path is to be an archive: `.tar`, `.tar.gz` or `.tgz`.
    static func isNamed(_ path: String) -> Bool { [".tar", ".tar.gz", ".tgz"].contains { path.hasSuffix($0) } }

    /// - Throws: `CommandFailure` if tar is missing or fails.
    static func pack(_ directory: String, into file: String) async throws {
        let compression = file.hasSuffix(".tar") ? [] : ["--gzip"]
        try await tar(["--create"] + compression + ["--file", file, "--directory", directory, "."])
    }

    static func unpack(_ file: String, into directory: String) async throws {
        try await tar(["--extract", "--no-same-owner", "--file", file, "--directory", directory])
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
