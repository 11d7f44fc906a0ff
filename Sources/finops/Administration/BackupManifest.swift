import Digest
import EventLog
import Foundation
import JSON
import Runtime

/// What a backup holds, with a digest of each file, so that a restore notices what was damaged on the way.
struct BackupManifest {
    struct File {
        /// Relative to the backup.
        let path: String
        let bytes: Int64
        /// Hexadecimal.
        let sha256: String
    }

    static let name = "manifest.json"

    var created: Timestamp
    /// Position of the last event in the copy of the log.
    var head: UInt64
    var files: [File]

    var includesKeys: Bool { files.contains { $0.path.hasPrefix("keys/") } }

    var json: JSONValue {
        [
            "format": 1, "created": .integer(created.seconds), "head": .integer(head),
            "files": .array(
                files.map { ["path": .string($0.path), "bytes": .integer($0.bytes), "sha256": .string($0.sha256)] }),
        ]
    }

    /// - Throws: `CommandFailure` if there is none, or it is none of ours.
    static func read(from backup: String) throws -> BackupManifest {
        guard let data = FileManager.default.contents(atPath: "\(backup)/\(name)") else {
            throw CommandFailure(.failure, "\(backup) is no backup: it has no \(name)")
        }
        let json: JSONValue
        do { json = try JSONValue.parse(data) } catch {
            throw CommandFailure(.failure, "\(backup)/\(name) is damaged: \(error)")
        }
        let files = json["files"]?.array?.compactMap { file -> File? in
            guard let path = file["path"]?.string, isInside(path), let bytes = file["bytes"]?.integer,
                let sha256 = file["sha256"]?.string
            else { return nil }
            return File(path: path, bytes: bytes, sha256: sha256)
        }
        guard json["format"]?.integer == 1, let created = json["created"]?.integer,
            let head = json["head"]?.integer.flatMap(UInt64.init(exactly:)), let files,
            files.count == json["files"]?.array?.count
        else { throw CommandFailure(.failure, "\(backup)/\(name) is not a manifest of this version") }
        return BackupManifest(created: Timestamp(seconds: created), head: head, files: files)
    }

    /// A manifest from elsewhere must not name files outside the backup.
    private static func isInside(_ path: String) -> Bool {
        !path.hasPrefix("/")
            && path.split(separator: "/", omittingEmptySubsequences: false)
                .allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    /// - Throws: `CommandFailure` naming the first file that is missing or differs.
    func check(in backup: String) throws {
        for file in files {
            let found = try Self.file(file.path, in: backup)
            guard found.bytes == file.bytes, found.sha256 == file.sha256 else {
                throw CommandFailure(.problemFound, "\(backup)/\(file.path) is not what was backed up")
            }
        }
    }

    private static let chunkBytes = 1 << 20

    /// - Throws: `CommandFailure` if it cannot be read.
    static func file(_ path: String, in backup: String) throws -> File {
        do {
            let handle = try FileHandle(forReadingFrom: URL(filePath: "\(backup)/\(path)"))
            defer { try? handle.close() }  // Nothing was written: closing cannot lose anything.
            var hash = SHA256()
            var bytes: Int64 = 0
            while let chunk = try handle.read(upToCount: chunkBytes), !chunk.isEmpty {
                chunk.withUnsafeBytes { hash.update($0) }
                bytes += Int64(chunk.count)
            }
            return File(path: path, bytes: bytes, sha256: hexText(hash.finish()))
        } catch let error as NSError {
            throw CommandFailure(.failure, "cannot read \(backup)/\(path): \(error.localizedDescription)")
        }
    }
}
