import Digest
import EventLog
import Glibc
import Synchronization

/// What the writers and the thread that syncs share.
struct SpoolState: ~Copyable {
    var next: UInt64
    var durable: UInt64
    var released: UInt64
    /// Closed files, oldest first.
    var segments: [Segment]
    /// The file that is written. It may be empty.
    var active: SpoolFile
    var activeFirst: UInt64
    var activeBytes: Int
    var totalBytes: Int
    /// Closed files that are not on disk yet.
    var unsynced: [SpoolFile] = []
    var folderChanged = true
    var isDirty = false
    /// Since when, while it is.
    var dirtySince = ContinuousClock.now
    var isClosing = false
    var failure: SpoolFailure?
    /// The last append found no room.
    var isFull = false
    var buffer: [UInt8] = []
    var hash = SHA256()
    var listener: AsyncStream<UInt64>.Continuation?
    var closed: [@Sendable () -> Void] = []
    /// Held as long as something is written.
    var lock: SpoolLock?
}

/// The spool's writing side: appends by any thread, syncs by one of its own.
final class SpoolCore: Sendable {
    let directory: String
    let state: Mutex<SpoolState>
    private let settings: SpoolSettings
    private let bell = SyncBell()
    private let folder: SpoolFile

    init(
        _ directory: String, _ settings: SpoolSettings, _ lock: SpoolLock, _ segments: [Segment], next: UInt64
    ) throws(SpoolFailure) {
        self.directory = directory
        self.settings = settings
        folder = try SpoolFile(directory, O_RDONLY | O_DIRECTORY)
        let active = try Self.begin(directory, next)
        state = Mutex(
            SpoolState(
                next: next, durable: next - 1, released: (segments.first?.first ?? next) - 1, segments: segments,
                active: active, activeFirst: next, activeBytes: 0,
                totalBytes: segments.reduce(0) { $0 + $1.bytes }, lock: lock))
        try folder.sync()
    }

    /// Nothing is written into it before the first record, so that a full disk does not keep a spool from being opened.
    private static func begin(_ directory: String, _ first: UInt64) throws(SpoolFailure) -> SpoolFile {
        try SpoolFile(Segment.path(in: directory, first: first), O_RDWR | O_CREAT | O_APPEND | O_EXCL)
    }

    // MARK: Writing

    /// All or none.
    /// - Returns: the number of the first.
    func append(_ entries: some Collection<SpoolEntry> & Sendable) throws(SpoolFailure) -> UInt64 {
        for entry in entries { try checkSize(entry.event, entry.stream) }
        let (number, isFirst) = try state.withLock { (state) throws(SpoolFailure) -> (UInt64, Bool) in
            if let failure = state.failure { throw failure }
            state.buffer.removeAll(keepingCapacity: true)
            for (place, entry) in entries.enumerated() {
                RecordForm.encode(
                    entry.event, in: entry.stream, number: state.next + UInt64(place), into: &state.buffer,
                    &state.hash)
            }
            do throws(SpoolFailure) { try keep(&state) } catch {
                state.isFull = error.kind == .full
                guard state.isFull, try makeRoom(&state) else { throw error }
                try keep(&state)
            }
            state.isFull = false
            let isFirst = !state.isDirty
            if isFirst { state.dirtySince = .now }
            state.isDirty = true
            defer { state.next += UInt64(entries.count) }
            return (state.next, isFirst)
        }
        if isFirst { bell.ring() }
        return number
    }

    /// Writes what is in the buffer.
    private func keep(_ state: inout SpoolState) throws(SpoolFailure) {
        let count = state.buffer.count
        guard state.totalBytes + count <= settings.totalBytes else {
            throw SpoolFailure(
                .full, path: directory,
                reason: "it holds \(state.totalBytes) of at most \(settings.totalBytes) bytes that wait for the log")
        }
        if state.activeBytes + count > settings.segmentBytes, state.next > state.activeFirst { try roll(&state) }
        let written = try write(&state)
        state.activeBytes += written
        state.totalBytes += written
    }

    /// What the log would refuse goes in all the same, for it has its place there; what cannot be written does not.
    private func checkSize(_ event: NewEvent, _ stream: StreamName) throws(SpoolFailure) {
        let longest = max(stream.text.utf8.count, event.type.text.utf8.count, event.actor.utf8.count)
        guard event.payload.count <= EventLimits.payloadBytes, longest <= Int(UInt16.max) else {
            throw SpoolFailure(
                .tooLarge, path: directory,
                reason: "an event with \(event.payload.count) bytes of payload and a name of \(longest) bytes")
        }
    }

    /// - Returns: so many bytes, with the file's own beginning if it was empty.
    private func write(_ state: inout SpoolState) throws(SpoolFailure) -> Int {
        let bytes = state.activeBytes == 0 ? RecordForm.fileStart + state.buffer : state.buffer
        do throws(SpoolFailure) {
            try state.active.write(bytes)
            return bytes.count
        } catch {
            // Half a record must not stand before the next one.
            if ftruncate(state.active.descriptor, off_t(state.activeBytes)) != 0 {
                state.failure = SpoolFailure(
                    .readOnly, path: state.active.path,
                    reason: "a record that was written in part could not be taken back after: \(error.reason)")
            }
            throw error
        }
    }

    private func roll(_ state: inout SpoolState) throws(SpoolFailure) {
        let file = try Self.begin(directory, state.next)
        state.segments.append(
            Segment(
                path: state.active.path, first: state.activeFirst, last: state.next - 1, bytes: state.activeBytes))
        state.unsynced.append(state.active)
        state.active = file
        state.activeFirst = state.next
        state.activeBytes = 0
        state.folderChanged = true
    }

    /// Where an append found no room and all records have arrived, gives up the file that is written: a new one may find
    /// no room either, so the same one is emptied and goes on under the name of the next number.
    func makeRoom() throws(SpoolFailure) {
        try state.withLock { (state) throws(SpoolFailure) in
            if state.isFull { _ = try makeRoom(&state) }
        }
    }

    /// - Returns: whether there is more room now.
    private func makeRoom(_ state: inout SpoolState) throws(SpoolFailure) -> Bool {
        guard state.failure == nil, state.segments.isEmpty, state.next > state.activeFirst,
            state.released == state.next - 1, state.durable == state.next - 1
        else { return false }
        let path = Segment.path(in: directory, first: state.next)
        guard rename(state.active.path, path) == 0 else { throw .system("rename it", state.active.path) }
        let file = try SpoolFile(path, O_RDWR | O_APPEND)
        guard ftruncate(file.descriptor, off_t(RecordForm.fileStart.count)) == 0 else {
            throw .system("empty it", path)
        }
        state.totalBytes -= state.activeBytes - RecordForm.fileStart.count
        state.active = file
        state.activeFirst = state.next
        state.activeBytes = RecordForm.fileStart.count
        state.folderChanged = true
        state.isFull = false
        return true
    }

    // MARK: Syncing

    /// The body of the thread that syncs. It is rung for by the first record that is not on disk, waits a little for
    /// others, unless that one has waited for the sync before, and takes them all.
    func syncUntilClosed() {
        while true {
            bell.wait()
            let rest = state.withLock { $0.isClosing ? .zero : $0.dirtySince + settings.syncDelay - .now }
            if rest > .zero { usleep(UInt32(rest / .microseconds(1))) }
            syncOnce()
            let ended = state.withLock { state -> [@Sendable () -> Void]? in
                guard state.isClosing, !state.isDirty else { return nil }
                state.lock = nil
                state.failure = state.failure ?? SpoolFailure(.closed, path: directory, reason: "it was closed")
                state.listener?.finish()
                return state.closed
            }
            guard let ended else { continue }
            for tell in ended { tell() }
            return
        }
    }

    private func syncOnce() {
        let work = state.withLock { state -> (files: [SpoolFile], through: UInt64, folderChanged: Bool)? in
            state.isDirty = false
            // A sync that succeeds now says nothing of what the one before it lost: `mend` writes all that anew.
            guard state.failure == nil else { return nil }
            defer {
                state.unsynced = []
                state.folderChanged = false
            }
            return (state.unsynced + [state.active], state.next - 1, state.folderChanged)
        }
        guard let (files, through, folderChanged) = work else { return }
        do throws(SpoolFailure) {
            for file in files {
                while settings.sync(file.descriptor) != 0 {
                    guard errno == EINTR else { throw .system("sync it", file.path) }
                }
            }
            if folderChanged { try folder.sync() }
        } catch {
            // The kernel may have dropped what it could not write, and says so only once: nothing after it can be
            // vouched for.
            let failure = SpoolFailure(.readOnly, path: error.path, reason: "\(error.reason); it takes no more records")
            return state.withLock { state in
                state.failure = state.failure ?? failure
                state.unsynced = files.filter { $0.path != state.active.path } + state.unsynced
            }
        }
        state.withLock { state in
            guard state.failure == nil, through > state.durable else { return }
            state.durable = through
            state.listener?.yield(through)
        }
    }

    // MARK: Others

    func durableNumbers() -> AsyncStream<UInt64> {
        let (stream, continuation) = AsyncStream.makeStream(of: UInt64.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            state.listener?.finish()
            state.listener = continuation
            continuation.yield(state.durable)
        }
        return stream
    }

    func askToClose() { close {} }

    /// - Parameter then: called when everything is on disk and the lock is free.
    func close(_ then: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if state.lock == nil { return true }
            state.isClosing = true
            state.closed.append(then)
            return false
        }
        if isClosed { then() } else { bell.ring() }
    }
}
