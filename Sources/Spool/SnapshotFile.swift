import Digest
import Dispatch
package import EventLog
import Glibc
import Synchronization

/// A state at a position of the log, kept in one file that is replaced whole or not at all. It never goes back.
package final class SnapshotFile: Sendable {
    /// The state of a reader that has handled everything up to a position.
    package struct Snapshot: Hashable, Sendable {
        package let position: Position
        package let bytes: [UInt8]

        package init(position: Position, bytes: [UInt8]) {
            self.position = position
            self.bytes = bytes
        }
    }

    private static let start: [UInt8] = Array("FOSTATE1".utf8)
    private static let sumBytes = 32

    package let path: String
    private let queue = DispatchQueue(label: "gateway-state")
    /// The position of what is in the file.
    private let saved = Mutex(Position.start)

    package init(_ path: String) { self.path = path }

    /// - Returns: nil if there is none.
    /// - Throws: `damaged` if the file is not what was written: then it has to be decided whether to go on without.
    package func load() throws(SpoolFailure) -> Snapshot? {
        guard let bytes = try PrivateFiles.read(path) else { return nil }
        let body = bytes.dropLast(Self.sumBytes)
        guard body.count >= Self.start.count + 8, body.starts(with: Self.start),
            SHA256.hash(Array(body)) == Array(bytes.suffix(Self.sumBytes))
        else {
            throw SpoolFailure(
                .damaged, path: path,
                reason: "it is not what was written; remove it to build the state from the log again")
        }
        let position = body[Self.start.count..<Self.start.count + 8].reversed().reduce(UInt64(0)) {
            $0 << 8 | UInt64($1)
        }
        saved.withLock { $0 = max($0, Position(position)) }
        return Snapshot(position: Position(position), bytes: Array(body.dropFirst(Self.start.count + 8)))
    }

    /// Writes it durably. What is older than what the file holds is not written.
    package func save(_ snapshot: Snapshot) async throws(SpoolFailure) {
        let result = await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(returning: Result { () throws(SpoolFailure) in try self.write(snapshot) })
            }
        }
        try result.get()
    }

    private func write(_ snapshot: Snapshot) throws(SpoolFailure) {
        try saved.withLock { (saved) throws(SpoolFailure) in
            guard snapshot.position >= saved else { return }
            var bytes = Self.start
            bytes.append(little: snapshot.position.value)
            bytes += snapshot.bytes
            bytes += SHA256.hash(bytes)
            try PrivateFiles.replace(path, with: bytes)
            saved = snapshot.position
        }
    }
}
