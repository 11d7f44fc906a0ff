import Dispatch
import Glibc
import Synchronization

extension Spool {
    /// After a failed sync, or a record that could not be taken back: writes what is not on disk anew, from what the kernel
    /// still holds, and takes records again. Does nothing where nothing is to be mended.
    /// - Throws: `SpoolFailure` if the disk does not take it yet, or if what is read is not what was written: that stays for
    ///   a new start, which sets it aside.
    package func mend() async throws(SpoolFailure) {
        let result = await withCheckedContinuation { continuation in
            reads.async {
                continuation.resume(returning: Result { () throws(SpoolFailure) in try self.core.mend() })
            }
        }
        try result.get()
    }
}

extension SpoolCore {
    /// A file that may not be on disk, and what it has to hold.
    private struct Doubtful {
        let file: SpoolFile
        let first: UInt64
        let last: UInt64
        let bytes: Int
    }

    /// Called by one thread at a time. While the failure stands nothing is appended, so that the files are read and written
    /// without the lock.
    fileprivate func mend() throws(SpoolFailure) {
        let doubtful = state.withLock { state -> [Doubtful]? in
            guard state.failure?.kind == .readOnly, !state.isClosing else { return nil }
            // What was delivered meanwhile is deleted.
            let closed = state.unsynced.compactMap { file in
                state.segments.first { $0.path == file.path }.map {
                    Doubtful(file: file, first: $0.first, last: $0.last, bytes: $0.bytes)
                }
            }
            let active = Doubtful(
                file: state.active, first: state.activeFirst, last: state.next - 1, bytes: state.activeBytes)
            return closed + [active]
        }
        guard let doubtful else { return }
        for part in doubtful { try Self.writeAnew(part) }
        guard let path = doubtful.last?.file.path else { return }
        let active = try SpoolFile(path, O_RDWR | O_APPEND)
        state.withLock { state in
            guard !state.isClosing else { return }
            state.active = active
            state.unsynced = []
            state.folderChanged = true
            state.durable = state.next - 1
            state.failure = nil
            state.listener?.yield(state.durable)
        }
    }

    /// Under its own name, whole or not at all.
    private static func writeAnew(_ part: Doubtful) throws(SpoolFailure) {
        let bytes = try part.file.read(from: 0, count: part.bytes)
        let scan = bytes.withUnsafeBytes { SegmentScan($0, first: part.first, isLast: false) }
        guard bytes.count == part.bytes, scan.damaged.isEmpty, scan.missing == 0,
            (scan.last ?? part.first - 1) == part.last
        else {
            throw SpoolFailure(
                .readOnly, path: part.file.path,
                reason:
                    "it is not what was written any more; a restart of the gateway sets the damage aside and goes on")
        }
        try PrivateFiles.replace(part.file.path, with: bytes)
    }
}
