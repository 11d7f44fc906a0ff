import CSQLite
import EventLog
import Foundation
import Storage
import TestSupport

/// A log in a folder of its own, and ways to look behind it.
struct LogUnderTest {
    let directory: String
    let clock = TickingClock()

    var files: LogFiles { LogFiles(database: directory + "/events.db") }

    func open(acceptTruncation: Bool = false, maximumPages: Int? = nil) throws(StoreError) -> SQLiteLog {
        try SQLiteLog(
            files: files, acceptTruncation: acceptTruncation, maximumPages: maximumPages, now: clock.now)
    }

    /// 240 events in 12 streams by three producers, some larger than a page.
    func fill() throws {
        let log = try open()
        let sessions = try ["first", "second", "third"].map { try log.openSession(ProducerName($0)) }
        for round in 0..<20 {
            let group = sessions.enumerated().map { index, session in
                AppendRequest(
                    session: session, sequence: UInt64(round + 1),
                    [
                        StreamAppend(
                            StreamName("sample-\((round + index) % 12)"),
                            (0..<4).map {
                                let number = round * 12 + index * 4 + $0
                                return sampleEvent(
                                    number, type: number.isMultiple(of: 7) ? "sample.odd" : "sample.happened",
                                    payloadBytes: number % 60 == 1 ? 9_000 : 20 + number % 50)
                            })
                    ])
            }
            for result in log.append(group: group).results { _ = try result.get() }
        }
    }

    func events() throws(StoreError) -> [RecordedEvent] {
        try SQLiteLogScanner(files: files).read(after: .start, limit: EventLimits.readEvents).events
    }

    func eventsWithHashes() throws(StoreError) -> [(event: RecordedEvent, hash: [UInt8])] {
        let scanner = try SQLiteLogScanner(files: files)
        var all: [(event: RecordedEvent, hash: [UInt8])] = []
        for event in try events() { all.append((event, try scanner.hash(at: event.position))) }
        return all
    }

    /// The state of the files as a crash would leave them, in another folder.
    func crashed(into other: String) throws -> LogUnderTest {
        let copy = LogUnderTest(directory: other)
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        for file in [files.database, files.database + "-wal", files.witness] {
            let name = file.split(separator: "/").last!
            try FileManager.default.copyItem(atPath: file, toPath: other + "/" + name)
        }
        return copy
    }

    /// Runs SQL on the file by a connection of its own.
    /// - Returns: SQLite's message if it was refused.
    func execute(_ sql: String) -> String? {
        var handle: OpaquePointer?
        sqlite3_open(files.database, &handle)
        defer { sqlite3_close(handle) }
        guard sqlite3_exec(handle, sql, nil, nil, nil) != SQLITE_OK else { return nil }
        return String(cString: sqlite3_errmsg(handle))
    }

    /// Every value of every table, and every index in its own order; nil if something cannot be read.
    func dump() -> [String]? {
        var handle: OpaquePointer?
        sqlite3_open_v2(files.database, &handle, SQLITE_OPEN_READONLY, nil)
        defer { sqlite3_close(handle) }
        var lines: [String] = []
        let queries =
            ["streams", "types", "names", "producers", "events", "sqlite_schema"].map {
                "SELECT * FROM \($0) NOT INDEXED"
            }
            + ["streams", "types", "names"].map {
                "SELECT name, id FROM \($0) INDEXED BY sqlite_autoindex_\($0)_1 ORDER BY name"
            }
            + [
                "SELECT stream, version, position FROM events INDEXED BY sqlite_autoindex_events_1 ORDER BY stream, version"
            ]
        for query in queries {
            guard let rows = rows(query, handle) else { return nil }
            lines += rows
        }
        return lines
    }

    private func rows(_ query: String, _ handle: OpaquePointer?) -> [String]? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, query, -1, &statement, nil) == SQLITE_OK else { return nil }
        defer { sqlite3_finalize(statement) }
        var lines: [String] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW:
                lines.append(
                    (0..<sqlite3_column_count(statement)).map { column in
                        let bytes = UnsafeRawBufferPointer(
                            start: sqlite3_column_blob(statement, column),
                            count: Int(sqlite3_column_bytes(statement, column)))
                        return "\(sqlite3_column_type(statement, column)):\(bytes.map { String($0, radix: 16) })"
                    }.joined(separator: "|"))
            case SQLITE_DONE: return lines
            default: return nil
            }
        }
    }

    func bytes(of path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }
}

func withLog(_ body: (LogUnderTest) async throws -> Void) async throws {
    try await withTemporaryDirectory { try await body(LogUnderTest(directory: $0 + "/log")) }
}

extension [UInt8] {
    func offsets(of text: String) -> [Int] { offsets(of: Array(text.utf8)) }

    func offsets(of pattern: [UInt8]) -> [Int] {
        return indices.dropLast(pattern.count - 1).filter {
            self[$0] == pattern[0] && self[$0..<$0 + pattern.count].elementsEqual(pattern)
        }
    }
}

func removeFile(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }
