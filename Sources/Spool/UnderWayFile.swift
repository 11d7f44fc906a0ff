import Digest
import Glibc
import Synchronization

/// What a gateway has let through and has no record of yet, in memory that the kernel writes to a file: a kill -9 leaves it as
/// it was, at the price of a few stores for each call. A power failure may take it.
package final class UnderWayFile: Sendable {
    /// How far a call had come.
    package struct Progress: Hashable, Sendable {
        /// On its way to the provider: from then on it may be charged.
        package var isSent: Bool
        /// HTTP's; 0: no answer began.
        package var status: UInt32
        /// Microseconds after the start; 0: no answer began.
        package var firstByte: Int64
        /// Tokens that had passed.
        package var output: Int64

        package init(isSent: Bool = false, status: UInt32 = 0, firstByte: Int64 = 0, output: Int64 = 0) {
            self.isSent = isSent
            self.status = status
            self.firstByte = firstByte
            self.output = output
        }
    }

    /// A call of an earlier run.
    package struct Left: Hashable, Sendable {
        package let place: Int
        /// As `add` was given it.
        package let record: [UInt8]
        /// Nano-units that it can cost at most.
        package let bound: Int64
        /// Unix seconds until which it may cost that.
        package let ends: Int64
        package let progress: Progress
        /// `end` was said of it by a run in between.
        package let isRecorded: Bool
    }

    /// Calls that are under way at once; what is beyond goes unwritten.
    package static let places = 4_096
    private static let placeBytes = 2_048
    /// Of one call; one that has more goes unwritten.
    package static let recordBytes = placeBytes - MemoryLayout<Head>.size

    private enum Mark {
        static let free: UInt64 = 0
        static let underWay: UInt64 = 0x1DA7_E001
        static let recorded: UInt64 = 0x1DA7_E002
    }

    /// What stands at the beginning of each place.
    private struct Head {
        static let progressOffset = MemoryLayout<UInt64>.size

        /// Written last.
        var mark = Mark.free
        var progress = Progress()
        /// Of the record.
        var checksum: UInt64
        var recordBytes: Int
        var bound: Int64
        var ends: Int64
    }

    private struct State: ~Copyable {
        /// The last given back is taken first, so that few pages are ever touched.
        var free: [Int]
        /// Places of earlier runs, by when nothing need be set aside for them any more.
        var earlier: [Int: Int64] = [:]
        var hash = SHA256()
    }

    /// What: the mapped file.
    /// Why safe: a place is read and written by whoever `add` gave it to, until `end` is said of it, and by nobody else; which
    /// are given is under a lock. It is unmapped when nobody has the file any more.
    /// Why needed: pointers are not Sendable.
    private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
    private let state: Mutex<State>
    /// What earlier runs left behind. It keeps its places for the next start.
    package let left: [Left]

    /// Opens the file, or makes it with all its room on the disk.
    /// - Parameter now: Unix seconds.
    package init(_ path: String, now: Int64) throws(SpoolFailure) {
        let file = try SpoolFile(path, O_RDWR | O_CREAT)
        let size = Self.places * Self.placeBytes
        // In a file with holes, a full disk would end the program at a store.
        let code = posix_fallocate(file.descriptor, 0, off_t(size))
        guard code == 0 else { throw .system("make room for it", path, errno: code) }
        guard let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0),
            mapped != MAP_FAILED
        else { throw .system("map it", path) }
        memory = mapped
        var (free, left): ([Int], [Left]) = ([], [])
        var hash = SHA256()
        for place in (0..<Self.places).reversed() {
            let start = mapped + place * Self.placeBytes
            if start.load(as: UInt64.self) == Mark.free {
                free.append(place)
            } else if let call = Self.read(place, start, &hash), !call.isRecorded || call.ends > now {
                left.append(call)
            } else {
                start.storeBytes(of: Mark.free, as: UInt64.self)
                free.append(place)
            }
        }
        // All of it was looked at, and little of it is used: what is written stays with the kernel.
        madvise(mapped, size, MADV_DONTNEED)
        self.left = left
        state = Mutex(State(free: free, earlier: Dictionary(uniqueKeysWithValues: left.map { ($0.place, $0.ends) })))
    }

    deinit { munmap(memory, Self.places * Self.placeBytes) }

    private func start(_ place: Int) -> UnsafeMutableRawPointer { memory + place * Self.placeBytes }

    /// - Parameters:
    ///   - record: what the next run needs to know, at most `recordBytes`.
    ///   - bound: nano-units that the call can cost at most.
    ///   - ends: Unix seconds until which it may cost that.
    ///   - now: Unix seconds.
    /// - Returns: its place, for `end`; nil where there is no room for it.
    package func add(_ record: [UInt8], bound: Int64, ends: Int64, now: Int64) -> Int? {
        guard record.count <= Self.recordBytes else { return nil }
        let taken: (place: Int, checksum: UInt64)? = state.withLock { state in
            if state.free.isEmpty { forgetEarlier(&state, now: now) }
            return state.free.popLast().map { ($0, record.withUnsafeBytes { RecordForm.checksum($0, &state.hash) }) }
        }
        guard let (place, checksum) = taken else { return nil }
        let start = start(place)
        let head = Head(checksum: checksum, recordBytes: record.count, bound: bound, ends: ends)
        start.storeBytes(of: head, as: Head.self)
        UnsafeMutableRawBufferPointer(start: start + MemoryLayout<Head>.size, count: Self.recordBytes)
            .copyBytes(from: record)
        mark(place, Mark.underWay)
        return place
    }

    /// How far a call that was added has come.
    package func note(_ progress: Progress, at place: Int) {
        start(place).storeBytes(of: progress, toByteOffset: Head.progressOffset, as: Progress.self)
    }

    /// Its record is kept. What an earlier run let through keeps its place as long as its bound is set aside.
    package func end(_ place: Int) {
        state.withLock { state in
            if state.earlier[place] != nil { mark(place, Mark.recorded) } else { free(place, &state) }
        }
    }

    /// Nothing need be known of it any more.
    package func forget(_ place: Int) { state.withLock { free(place, &$0) } }

    private func free(_ place: Int, _ state: inout State) {
        state.earlier[place] = nil
        mark(place, Mark.free)
        state.free.append(place)
    }

    private func forgetEarlier(_ state: inout State, now: Int64) {
        for (place, ends) in state.earlier where ends <= now {
            if start(place).load(as: UInt64.self) == Mark.recorded { free(place, &state) }
        }
    }

    /// A kill between the stores leaves what was there before or what is there afterwards.
    private func mark(_ place: Int, _ mark: UInt64) {
        atomicMemoryFence(ordering: .releasing)
        start(place).storeBytes(of: mark, as: UInt64.self)
    }

    /// - Returns: nil for what no `add` wrote, as after a power failure.
    private static func read(_ place: Int, _ start: UnsafeMutableRawPointer, _ hash: inout SHA256) -> Left? {
        let head = start.load(as: Head.self)
        guard [Mark.underWay, Mark.recorded].contains(head.mark), (0...recordBytes).contains(head.recordBytes)
        else { return nil }
        let record = UnsafeRawBufferPointer(start: start + MemoryLayout<Head>.size, count: head.recordBytes)
        guard RecordForm.checksum(record, &hash) == head.checksum else { return nil }
        return Left(
            place: place, record: Array(record), bound: head.bound, ends: head.ends, progress: head.progress,
            isRecorded: head.mark == Mark.recorded)
    }
}
