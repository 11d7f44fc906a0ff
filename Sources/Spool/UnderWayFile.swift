import Glibc
import Synchronization

/// What a gateway has let through and has no record of yet, in memory that the kernel writes to a file: a kill -9 leaves it as
/// it was, at the price of a few stores for each call. A power failure may take it.
///
/// Not `Sendable`: whoever has it keeps it under a lock.
package final class UnderWayFile {
    /// A call that may still cost its bound.
    package struct Entry: Hashable, Sendable {
        package var call: String
        package var attempt: UInt32
        /// Unix microseconds.
        package var started: Int64
        package var project: String
        /// Nano-units that it can cost at most.
        package var bound: Int64
        /// Unix seconds after which it is not waited for.
        package var ends: Int64

        package init(
            call: String, attempt: UInt32, started: Int64, project: String, bound: Int64, ends: Int64
        ) {
            self.call = call
            self.attempt = attempt
            self.started = started
            self.project = project
            self.bound = bound
            self.ends = ends
        }
    }

    /// Calls that are under way at once; what is beyond goes unwritten.
    package static let places = 4_096
    private static let placeBytes = 256
    private static let textBytes = placeBytes - MemoryLayout<Head>.size

    /// What stands at the beginning of each place.
    private struct Head {
        /// Written last, cleared first.
        var isTaken: UInt64 = 0
        var started: Int64
        var bound: Int64
        var ends: Int64
        var attempt: UInt32
        var callBytes: UInt16
        var projectBytes: UInt16
    }

    private let memory: UnsafeMutableRawPointer
    /// The last given back is taken first, so that few pages are ever touched.
    private var free: [Int]
    /// What an earlier run left behind and has not ended. It keeps its places for the next start.
    package let left: [Entry]

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
        var (free, left): ([Int], [Entry]) = ([], [])
        for place in (0..<Self.places).reversed() {
            let start = mapped + place * Self.placeBytes
            if start.load(as: UInt64.self) == 0 {
                free.append(place)
            } else if let entry = Self.entry(start), entry.ends > now {
                left.append(entry)
            } else {
                start.storeBytes(of: 0, as: UInt64.self)
                free.append(place)
            }
        }
        (self.free, self.left) = (free, left)
    }

    deinit { munmap(memory, Self.places * Self.placeBytes) }

    /// - Returns: its place, for `remove`; nil where there is no room for it.
    package func add(_ entry: Entry) -> Int? {
        let (call, project) = (entry.call.utf8, entry.project.utf8)
        guard call.count + project.count <= Self.textBytes, let place = free.popLast() else { return nil }
        let start = memory + place * Self.placeBytes
        start.storeBytes(
            of: Head(
                started: entry.started, bound: entry.bound, ends: entry.ends, attempt: entry.attempt,
                callBytes: UInt16(call.count), projectBytes: UInt16(project.count)), as: Head.self)
        let text = UnsafeMutableRawBufferPointer(start: start + MemoryLayout<Head>.size, count: Self.textBytes)
        text.copyBytes(from: call)
        UnsafeMutableRawBufferPointer(rebasing: text[call.count...]).copyBytes(from: project)
        // A kill between the stores leaves either no entry or a whole one.
        atomicMemoryFence(ordering: .releasing)
        start.storeBytes(of: 1, as: UInt64.self)
        return place
    }

    /// Its record is kept, or it did not happen.
    package func remove(_ place: Int) {
        (memory + place * Self.placeBytes).storeBytes(of: 0, as: UInt64.self)
        free.append(place)
    }

    /// - Returns: nil for what no `add` wrote, as after a power failure.
    private static func entry(_ start: UnsafeMutableRawPointer) -> Entry? {
        let head = start.load(as: Head.self)
        let (callBytes, projectBytes) = (Int(head.callBytes), Int(head.projectBytes))
        guard head.isTaken == 1, head.bound >= 0, head.started >= 0, callBytes + projectBytes <= textBytes else {
            return nil
        }
        let text = UnsafeRawBufferPointer(start: start + MemoryLayout<Head>.size, count: callBytes + projectBytes)
        guard let call = String(validating: text.prefix(callBytes), as: UTF8.self),
            let project = String(validating: text.dropFirst(callBytes), as: UTF8.self)
        else { return nil }
        return Entry(
            call: call, attempt: head.attempt, started: head.started, project: project, bound: head.bound,
            ends: head.ends)
    }
}
