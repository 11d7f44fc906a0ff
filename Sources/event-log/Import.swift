import ArgumentParser
import Digest
import EventLog
import FoundationEssentials
import Glibc
import JSON
import Runtime
import Storage

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the log of an empty state directory from exported CloudEvents.",
        discussion: """
            The log comes out as it was: positions, times, hashes. Not while event-log serve runs.
            Example: event-log import --dir D events.jsonl
            """)

    private static let batchEvents = 2_000

    @Argument(help: "File with one event per line; - for standard input.") var file = "-"
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let files = try options.logFiles()
        let log = try SQLiteLog(files: files, now: { .distantPast })
        guard log.head == .start else {
            throw CommandFailure(.failure, "the log has \(log.head) events already; import needs an empty one")
        }
        var reader = try LineReader(path: file)
        var number = 0
        var batch: [RecordedEvent] = []
        var hash: [UInt8]?
        while let line = try reader.next() {
            number += 1
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { continue }
            do {
                let read = try CloudEvent.read(line)
                batch.append(read.event)
                hash = read.hash
            } catch { throw CommandFailure(.failure, "line \(number): \(error)") }
            if batch.count == Self.batchEvents { try flush(&batch, hash, log) }
        }
        try flush(&batch, hash, log)
        if options.json {
            try Output.line(
                JSONValue.object([
                    .init("events", .integer(log.head.value)), .init("head", .string(hexText(log.logHead.hash))),
                ]).text)
        } else {
            try Output.line("\(log.head) events, head \(hexText(log.logHead.hash))")
        }
    }

    private func flush(_ batch: inout [RecordedEvent], _ hash: [UInt8]?, _ log: SQLiteLog) throws {
        if batch.isEmpty { return }
        try log.restore(batch, endingWith: hash)
        batch.removeAll(keepingCapacity: true)
    }
}

/// Lines of a file or of standard input, as bytes; a line is bounded.
struct LineReader: ~Copyable {
    /// A payload of the largest size in base64, its JSON beside it, and some.
    private static let lineBytes = 16 << 20

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    init(path: String) throws {
        descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(.failure, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// - Returns: nil at the end.
    mutating func next() throws -> ArraySlice<UInt8>? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                defer { start = end + 1 }
                return buffer[start..<end]
            }
            searched = buffer.count
            if isAtEnd {
                defer { start = buffer.count }
                return start < buffer.count ? buffer[start...] : nil
            }
            guard buffer.count - start < Self.lineBytes else { throw CommandFailure(.failure, "a line is too long") }
            if start > 0 {
                buffer.removeFirst(start)
                searched -= start
                start = 0
            }
            try fill()
        }
    }

    private mutating func fill() throws {
        let part = [UInt8](unsafeUninitializedCapacity: 1 << 18) { space, count in
            count = max(0, read(descriptor, space.baseAddress, space.count))
        }
        if part.isEmpty { isAtEnd = true }
        buffer += part
    }
}
