import Digest
import Dispatch
package import EventLog
import Glibc
import Synchronization

/// A durable queue of events on their way into the log. What `append` has returned for survives the end of the process,
/// however it ends; the loss of power takes at most what came within 8 milliseconds and two syncs. One process writes it,
/// and the records are numbered from 1, in order; no number comes twice.
package final class Spool: Sendable {
    package let directory: String
    /// What was found at the opening.
    package let recovery: SpoolRecovery
    let core: SpoolCore
    let cursor = Mutex<ReadCursor?>(nil)
    /// What makes a producer's sequence of a number, once it is known.
    let anchored = Mutex<UInt64?>(nil)
    /// Reads of files block: they have no place on the cooperative pool.
    let reads = DispatchQueue(label: "spool-reads")

    /// Opens the spool of a folder, which is made (0700) if it is not there.
    /// - Throws: `SpoolFailure`, with kind `locked` if another process writes it.
    package init(_ directory: String, _ settings: SpoolSettings = SpoolSettings()) throws(SpoolFailure) {
        try PrivateFiles.makeDirectory(directory)
        let lock = try SpoolLock(directory + "/lock")
        let (segments, next, recovery) = try Segment.recover(directory)
        self.directory = directory
        self.recovery = recovery
        core = try SpoolCore(directory, settings, lock, segments, next: next)
        let core = core
        try SpoolThread.start(directory) { core.syncUntilClosed() }
    }

    deinit { core.askToClose() }

    /// Keeps an event. It is in the kernel's hands when this returns, and on disk some milliseconds later.
    /// - Returns: its number.
    /// - Throws: `SpoolFailure`: `full` may pass, `tooLarge` concerns this event alone, `readOnly` until `mend` succeeds.
    @discardableResult
    package func append(_ event: NewEvent, to stream: StreamName) throws(SpoolFailure) -> UInt64 {
        try core.append(CollectionOfOne(SpoolEntry(event: event, stream: stream)))
    }

    /// Keeps several, at least one: all or none of them.
    /// - Returns: the number of the first.
    /// - Throws: `SpoolFailure`, as for one.
    @discardableResult
    package func append(_ entries: [SpoolEntry]) throws(SpoolFailure) -> UInt64 { try core.append(entries) }

    /// How full it is, and how far on disk.
    package var status: SpoolStatus { core.state.withLock { SpoolStatus($0) } }

    /// The number of the last record on disk, whenever it has grown. The stream before ends.
    package func durableNumbers() -> AsyncStream<UInt64> { core.durableNumbers() }

    /// Syncs what is left and gives the spool up: appends are refused from now on, and another may open it.
    package func close() async {
        await withCheckedContinuation { continuation in core.close { continuation.resume() } }
    }
}

/// An event that is to be kept, and where it will be appended.
package struct SpoolEntry: Sendable {
    package let event: NewEvent
    package let stream: StreamName

    package init(event: NewEvent, stream: StreamName) {
        self.event = event
        self.stream = stream
    }
}

/// How a spool is.
package struct SpoolStatus: Hashable, Sendable {
    /// The last number given out.
    package let written: UInt64
    /// The last one on disk.
    package let durable: UInt64
    /// The last one that was released.
    package let released: UInt64
    /// Bytes of its files; they shrink by whole files.
    package let bytes: Int
    /// Why nothing can be kept any more.
    package let failure: SpoolFailure?

    /// Records that are not released.
    package var waiting: UInt64 { written - released }

    init(_ state: borrowing SpoolState) {
        written = state.next - 1
        durable = state.durable
        released = state.released
        bytes = state.totalBytes
        failure = state.failure
    }
}
