import Digest
package import EventLog
import Glibc

/// Where a log ends: the last position and the hash of its row.
package struct LogHead: Hashable, Sendable {
    package var position: Position
    /// 32 bytes (SHA-256): it covers that row and, through the row before, all others.
    package var hash: [UInt8]

    package init(position: Position, hash: [UInt8]) {
        self.position = position
        self.hash = hash
    }

    /// The hash before the first event.
    package static let genesis = LogHead(position: .start, hash: [UInt8](repeating: 0, count: 32))
}

/// A small file that remembers the last commit apart from the database. SQLite drops a damaged end of its write-ahead log
/// without a word; a head behind its witness makes that visible.
///
/// Two slots are written in turn, each with a checksum, so that a torn write leaves the older one.
final class Witness {
    private static let slotBytes = 512
    private static let usedBytes = 8 + 32

    private let descriptor: Int32
    private var slot: [UInt8]
    private var turn = 0
    private var hasher = SHA256()

    /// Opens the file, making it with `initial` if there is none.
    init(path: String, initial: LogHead?) throws(StoreFailure) {
        descriptor = open(path, O_RDWR | O_CLOEXEC | (initial == nil ? 0 : O_CREAT), 0o600)
        slot = [UInt8](repeating: 0, count: Self.slotBytes)
        guard descriptor >= 0 else { throw Self.failure("open \(path)") }
        if let initial {
            try write(initial)
            try write(initial)
        }
    }

    deinit { close(descriptor) }

    /// Writes and waits until it is on disk.
    func write(_ head: LogHead) throws(StoreFailure) {
        withUnsafeBytes(of: head.position.value.littleEndian) { slot.replaceSubrange(0..<8, with: $0) }
        slot.replaceSubrange(8..<40, with: head.hash)
        hasher.reset()
        slot.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<Self.usedBytes])) }
        slot.replaceSubrange(40..<72, with: hasher.finish())
        let written = pwrite(descriptor, slot, Self.slotBytes, off_t(turn * Self.slotBytes))
        guard written == Self.slotBytes else { throw Self.failure("write the witness") }
        guard fdatasync(descriptor) == 0 else { throw Self.failure("sync the witness") }
        turn = 1 - turn
    }

    /// The newest intact slot; nil if the file is missing or neither slot is intact.
    static func read(path: String) -> LogHead? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 2 * slotBytes)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return [0, slotBytes].compactMap { start -> LogHead? in
            guard count >= start + slotBytes else { return nil }
            let used = Array(bytes[start..<start + usedBytes])
            guard SHA256.hash(used) == Array(bytes[start + usedBytes..<start + usedBytes + 32]) else { return nil }
            let position = used[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return LogHead(position: Position(position), hash: Array(used[8...]))
        }.max { $0.position < $1.position }
    }

    private static func failure(_ doing: String) -> StoreFailure {
        StoreFailure(code: "witness", message: "could not \(doing): \(errnoText())", isRetriable: false)
    }
}
