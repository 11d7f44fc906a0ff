import ArgumentParser
import Digest
import EventLog
import FoundationEssentials
import Glibc
import JSON
import Runtime
import Storage

/// A log out of its export.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes or continues a log from exported CloudEvents.",
        discussion: """
            The log comes out as it was: positions, times, hashes. What it holds already is compared, not written \
            again, so an import that was interrupted or refused is repeated as a whole. Not while event-log serve \
            runs.
            Example: event-log import --dir D events.jsonl
            """)

    private static let batchEvents = 2_000

    @Argument(help: "File with one event per line; - for standard input.") var file = "-"
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let files = try options.logFiles()
        var reader = try LineReader(path: file)
        let log = try SQLiteLog(files: files, now: { .distantPast })
        let present = try SQLiteLogScanner(files: files)
        let head = log.head
        var batch = Batch()
        while let line = try reader.next() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { continue }
            let (event, hash): (RecordedEvent, [UInt8])
            do { (event, hash) = try CloudEvent.read(line) } catch { throw refusal(reader.number, "\(error)") }
            if event.position <= head {
                guard try present.hash(at: event.position) == hash else {
                    throw refusal(reader.number, "the log has another event at position \(event.position)")
                }
                continue
            }
            batch.events.append((event, hash))
            batch.lines.append(reader.number)
            if batch.events.count == Self.batchEvents { try flush(&batch, log) }
        }
        try flush(&batch, log)
        if options.json {
            try Output.line(
                JSONValue.object([
                    .init("events", .integer(log.head.value)), .init("imported", .integer(log.head.value - head.value)),
                    .init("head", .string(hexText(log.logHead.hash))),
                ]).text)
        } else {
            try Output.line("\(log.head) events, head \(hexText(log.logHead.hash))")
        }
    }

    private struct Batch {
        var events: [(event: RecordedEvent, hash: [UInt8])] = []
        /// The line that each of them stood on.
        var lines: [Int] = []
    }

    private func flush(_ batch: inout Batch, _ log: SQLiteLog) throws {
        if let refused = try log.restore(batch.events) { throw refusal(batch.lines[refused.index], refused.reason) }
        batch = Batch()
    }

    private func refusal(_ line: Int, _ reason: String) -> CommandFailure {
        CommandFailure(.failure, "line \(line) of \(file == "-" ? "standard input" : file): \(reason)")
    }
}

/// Lines of a file or of standard input, as bytes; a line is bounded.
struct LineReader: ~Copyable {
    /// A payload of the largest size in base64, its JSON beside it, and some.
    private static let lineBytes = 16 << 20

    private let path: String
    private let descriptor: Int32
    /// Of the last line given out, from 1.
    private(set) var number = 0
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    init(path: String) throws {
        self.path = path
        descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(path) }
    }

    private static func unreadable(_ path: String) -> CommandFailure {
        CommandFailure(.failure, "cannot read \(path): \(String(cString: strerror(errno)))")
    }

    deinit { close(descriptor) }

    /// - Returns: nil at the end.
    mutating func next() throws -> ArraySlice<UInt8>? {
        var searched = start
        number += 1
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
            guard buffer.count - start < Self.lineBytes else {
                throw CommandFailure(.failure, "line \(number) of \(path) is longer than \(Self.lineBytes) bytes")
            }
            if start > 0 {
                buffer.removeFirst(start)
                searched -= start
                start = 0
            }
            try fill()
        }
    }

    private mutating func fill() throws {
        var failed = false
        let part = [UInt8](unsafeUninitializedCapacity: 1 << 18) { space, count in
            let got = read(descriptor, space.baseAddress, space.count)
            failed = got < 0 && errno != EINTR
            count = max(0, got)
        }
        if failed { throw Self.unreadable(path) }
        if part.isEmpty { isAtEnd = true }
        buffer += part
    }
}
