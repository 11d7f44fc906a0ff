import Glibc

/// The bounds of a spool.
package struct SpoolSettings: Sendable {
    /// A file that has grown to this is closed and the next one begun; what is delivered is deleted by whole files.
    package var segmentBytes: Int
    /// All files together: beyond it an append is refused as if the disk were full.
    package var totalBytes: Int
    /// How long after the first record that is not on disk yet the sync begins, or as soon as the one before has ended; those
    /// that follow meanwhile share it.
    package var syncDelay: Duration
    /// fdatasync(2), but for tests.
    package var sync: @Sendable (Int32) -> Int32

    package init(
        segmentBytes: Int = 16 << 20, totalBytes: Int = 1 << 30, syncDelay: Duration = .milliseconds(8),
        sync: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }
    ) {
        self.segmentBytes = segmentBytes
        self.totalBytes = totalBytes
        self.syncDelay = syncDelay
        self.sync = sync
    }
}
