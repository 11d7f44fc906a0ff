import Digest
import Glibc
import Synchronization

/// What a gateway has let through and has no record of yet, in memory that the kernel writes to a file: a kill -9 leaves it as
/// it was, at the price of a few stores for each call. A power failure may take it.
///
/// | a place | from | until |
/// |---|---|---|
/// | under way | `add`, of this run or, `left`, of an earlier one | `end` or `forget`; left: until it is recording |
/// | recording | `beginRecording`, or `addRecord` of what is not kept | `end`: then recorded |
/// | recorded | `end`, or `addRecord` of what is kept | `forget`, or the time is over for which it may cost more |
package final class UnderWayFile: Sendable {
    /// How far a call had come.
    package struct Progress: Hashable, Sendable {
        private var sent: UInt32
        /// HTTP's; 0: no answer began.
        package var status: UInt32
        /// Microseconds after the start; 0: no answer began.
        package var firstByte: Int64
        /// Tokens that had passed.
        package var output: Int64

        package init(isSent: Bool = false, status: UInt32 = 0, firstByte: Int64 = 0, output: Int64 = 0) {
            sent = isSent ? 1 : 0
            self.status = status
            self.firstByte = firstByte
            self.output = output
        }

        /// On its way to the provider: from then on it may be charged.
        package var isSent: Bool {
            get { sent != 0 }
            set { sent = newValue ? 1 : 0 }
        }

        /// More than any answer has.
        private static let mostOutput: Int64 = 100_000_000

        /// What is written while it runs has no checksum.
        fileprivate var isBelievable: Bool {
            (status == 0 || (100...999).contains(status)) && firstByte >= 0 && (0...Self.mostOutput).contains(output)
        }
    }

    /// A call of an earlier run.
    package struct Left: Hashable, Sendable {
        package enum Stage: Hashable, Sendable {
            case underWay
            /// A run in between was killed while it recorded it, or could not: its record may be kept or not.
            case recording
            case recorded
        }

        package let place: Int
        /// What `add` or `addRecord` was given.
        package let call: [UInt8]
        /// Nano-units that it can cost at most; where `addRecord` wrote it, beyond what the record says.
        package let bound: Int64
        /// Unix seconds until which it may cost that.
        package let ends: Int64
        package let progress: Progress
        package let stage: Stage
    }

    /// More calls than a gateway has connections, and room for what is left; what is beyond goes unwritten.
    package static let places = 9_216
    private static let placeBytes = 2_048
    /// Of one call; one that has more goes unwritten.
    package static let callBytes = placeBytes - MemoryLayout<Head>.size

    private enum Mark: UInt64 {
        case free = 0
        case underWay = 0x1DA7_E001
        case recording = 0x1DA7_E002
        case recorded = 0x1DA7_E003
    }

    /// What stands at the beginning of each place.
    private struct Head {
        static let progressOffset = MemoryLayout<UInt64>.size

        /// A `Mark`; written last.
        var mark = Mark.free.rawValue
        var progress = Progress()
        /// Of all that follows.
        var checksum: UInt64 = 0
        /// Which start of the machine it was written in: after another one it is not known what reached the disk.
        var boot: UInt64
        var bytes: Int
        var bound: Int64
        var ends: Int64
        static var checkedOffset: Int { progressOffset + MemoryLayout<Progress>.stride + MemoryLayout<UInt64>.size }
    }

    private struct State {
        /// The last given back is taken first, so that few pages are ever touched.
        var free: [Int]
        /// The places of what is left, and until when something may be set aside for it, in Unix seconds.
        var left: [Int: Int64] = [:]
    }

    /// What: the mapped file.
    /// Why safe: a place that `add` or `addRecord` took, which is marked last, is written by whoever it was given to alone,
    /// until `end` or `forget` is said of it; all others, and which are which, are under the lock. It is unmapped when nobody
    /// has the file any more.
    /// Why needed: pointers are not Sendable.
    private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
    private let boot: UInt64
    private let state: Mutex<State>
    /// What earlier runs left behind.
    package let left: [Left]
    /// Places that held what no `add` of this version wrote, or one before the machine started anew: they were given up.
    package let unreadable: Int
    /// It was not there, or empty.
    package let isNew: Bool

    /// Opens the file, or makes it with all its room on the disk.
    /// - Parameters:
    ///   - now: Unix seconds.
    ///   - boot: differs after each start of the machine.
    package init(_ path: String, now: Int64, boot: UInt64 = bootMark()) throws(SpoolFailure) {
        let file = try SpoolFile(path, O_RDWR | O_CREAT)
        let size = Self.places * Self.placeBytes
        isNew = lseek(file.descriptor, 0, SEEK_END) == 0
        // In a file with holes, a full disk would end the program at a store.
        let code = posix_fallocate(file.descriptor, 0, off_t(size))
        guard code == 0 else { throw .system("make room for it", path, errno: code) }
        guard let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0),
            mapped != MAP_FAILED
        else { throw .system("map it", path) }
        memory = mapped
        self.boot = boot
        var (free, left): ([Int], [Left]) = ([], [])
        var unreadable = 0
        for place in (0..<Self.places).reversed() {
            let start = mapped + place * Self.placeBytes
            if start.load(as: UInt64.self) != Mark.free.rawValue {
                let call = Self.read(place, start, boot)
                if call == nil { unreadable += 1 }
                if let call, call.stage != .recorded || call.ends > now {
                    left.append(call)
                    continue
                }
                start.storeBytes(of: Mark.free.rawValue, as: UInt64.self)
            }
            free.append(place)
        }
        // All of it was looked at, and little of it is used: what is written stays with the kernel.
        madvise(mapped, size, MADV_DONTNEED)
        (self.left, self.unreadable) = (left, unreadable)
        state = Mutex(State(free: free, left: Dictionary(uniqueKeysWithValues: left.map { ($0.place, $0.ends) })))
    }

    deinit { munmap(memory, Self.places * Self.placeBytes) }

    private func start(_ place: Int) -> UnsafeMutableRawPointer { memory + place * Self.placeBytes }

    /// - Parameters:
    ///   - call: what the next run needs to know, at most `callBytes`.
    ///   - bound: nano-units that it can cost at most.
    ///   - ends: Unix seconds until which it may cost that.
    ///   - progress: how far it has come.
    ///   - now: Unix seconds.
    /// - Returns: its place, for `end`; nil where there is no room for it.
    package func add(
        _ call: [UInt8], bound: Int64, ends: Int64, progress: Progress = Progress(), now: Int64
    ) -> Int? {
        let head = Head(progress: progress, boot: boot, bytes: call.count, bound: bound, ends: ends)
        return add(call, .underWay, head, now: now)
    }

    /// The record of a call of an earlier run, as one that is left: it may cost more than this says.
    /// - Parameters:
    ///   - rest: nano-units that it can cost beyond the record.
    ///   - isKept: whether the record is in the log or the spool; else it is to be, before `end`.
    /// - Returns: its place; nil where there is no room for it.
    package func addRecord(_ record: [UInt8], rest: Int64, ends: Int64, isKept: Bool, now: Int64) -> Int? {
        add(
            record, isKept ? .recorded : .recording,
            Head(boot: boot, bytes: record.count, bound: rest, ends: ends), now: now)
    }

    private func add(_ call: [UInt8], _ mark: Mark, _ head: Head, now: Int64) -> Int? {
        guard call.count <= Self.callBytes else { return nil }
        let taken: Int? = state.withLock { state in
            if state.free.isEmpty { forgetWhatIsOver(&state, now: now) }
            let place = state.free.popLast()
            if let place, mark != .underWay { state.left[place] = head.ends }
            return place
        }
        guard let place = taken else { return nil }
        write(head, call, at: place)
        self.mark(place, mark)
        return place
    }

    private func write(_ head: Head, _ call: [UInt8], at place: Int) {
        let start = start(place)
        start.storeBytes(of: head, as: Head.self)
        UnsafeMutableRawBufferPointer(start: start + MemoryLayout<Head>.size, count: Self.callBytes)
            .copyBytes(from: call)
        let checksum = Self.checksum(start, call.count)
        start.storeBytes(of: checksum, toByteOffset: Head.checkedOffset - MemoryLayout<UInt64>.size, as: UInt64.self)
    }

    /// Of damage, not of forgery: in one start of the machine a kill tears nothing. FNV-1a's constants, by words.
    private static func checksum(_ start: UnsafeMutableRawPointer, _ bytes: Int) -> UInt64 {
        let words = (MemoryLayout<Head>.size - Head.checkedOffset + bytes + 7) / 8
        var sum: UInt64 = 0xCBF2_9CE4_8422_2325
        for word in 0..<words {
            sum = (sum ^ start.load(fromByteOffset: Head.checkedOffset + word * 8, as: UInt64.self)) &* 0x100_0000_01B3
        }
        return sum
    }

    /// How far a call that was added has come.
    package func note(_ progress: Progress, at place: Int) {
        start(place).storeBytes(of: progress, toByteOffset: Head.progressOffset, as: Progress.self)
    }

    /// Whether it is what an earlier run left, or a record of that.
    package func isLeft(_ place: Int) -> Bool { state.withLock { $0.left[place] != nil } }

    /// The record of a call that is left is about to be kept.
    package func beginRecording(_ place: Int) { state.withLock { _ in mark(place, .recording) } }

    /// Its record is kept.
    package func end(_ place: Int) {
        state.withLock { state in
            if state.left[place] != nil { mark(place, .recorded) } else { free(place, &state) }
        }
    }

    /// Nothing need be known of it any more.
    package func forget(_ place: Int) { state.withLock { free(place, &$0) } }

    private func free(_ place: Int, _ state: inout State) {
        guard start(place).load(as: UInt64.self) != Mark.free.rawValue else { return }
        state.left[place] = nil
        mark(place, .free)
        state.free.append(place)
    }

    private func forgetWhatIsOver(_ state: inout State, now: Int64) {
        for (place, ends) in state.left where ends <= now {
            if start(place).load(as: UInt64.self) == Mark.recorded.rawValue { free(place, &state) }
        }
    }

    /// A kill between the stores leaves what was there before or what is there afterwards.
    private func mark(_ place: Int, _ mark: Mark) {
        atomicMemoryFence(ordering: .releasing)
        start(place).storeBytes(of: mark.rawValue, as: UInt64.self)
    }

    /// - Returns: nil for what no `add` wrote in this run of the machine.
    private static func read(
        _ place: Int, _ start: UnsafeMutableRawPointer, _ boot: UInt64
    ) -> Left? {
        let head = start.load(as: Head.self)
        let stage: Left.Stage
        switch Mark(rawValue: head.mark) {
        case .underWay: stage = .underWay
        case .recording: stage = .recording
        case .recorded: stage = .recorded
        case .free, nil: return nil
        }
        guard (0...callBytes).contains(head.bytes), head.bound >= 0, head.boot == boot,
            checksum(start, head.bytes) == head.checksum, head.progress.isBelievable
        else { return nil }
        let call = UnsafeRawBufferPointer(start: start + MemoryLayout<Head>.size, count: head.bytes)
        return Left(
            place: place, call: Array(call), bound: head.bound, ends: head.ends, progress: head.progress, stage: stage)
    }

    /// The kernel's own name for this start of the machine, shortened; 0 where it says none.
    package static func bootMark() -> UInt64 {
        let path = "/proc/sys/kernel/random/boot_id"
        let text: [UInt8]
        do { text = try SpoolFile(path, O_RDONLY).read(from: 0, count: 64) } catch { return 0 }
        return SHA256.hash(text).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
