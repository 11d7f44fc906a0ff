package import EventLog

/// What a log holds, counted.
package struct LogStatistics: Hashable, Sendable {
    /// How much there is of one event type.
    package struct TypeCount: Hashable, Sendable {
        package var type: EventType
        /// Ever appended; events are never removed.
        package var events: Int
        /// Of all its events together, without names and ids.
        package var payloadBytes: Int
    }

    package var head: LogHead
    /// Names the log has given a number to.
    package var streams: Int
    /// Those that ever opened a session.
    package var producers: Int
    /// The most frequent first.
    package var types: [TypeCount]
    /// Nil for an empty log.
    package var firstRecorded: Timestamp?
    /// Nil for an empty log.
    package var lastRecorded: Timestamp?
    /// Of the database without its write-ahead log.
    package var fileBytes: Int
}

/// Something the log should have and has not.
package struct LogGap: Hashable, Sendable {
    /// Nil for a gap in the log's positions.
    package var stream: StreamName?
    /// The missing positions or versions.
    package var missing: ClosedRange<UInt64>
}

extension SQLiteLogScanner {
    /// Counts by looking at every row.
    package func statistics() throws(StoreError) -> LogStatistics {
        try storing { () throws(SQLiteFailure) in
            try connection.execute("BEGIN", doing: "read the log")
            defer { connection.endReading() }
            let head = try rows.head()
            func edge(_ order: String) throws(SQLiteFailure) -> Timestamp? {
                let recorded = try connection.integer("SELECT recorded FROM events ORDER BY position \(order) LIMIT 1")
                return head.position == .start ? nil : Timestamp(microseconds: recorded)
            }
            return LogStatistics(
                head: head, streams: Int(try connection.integer("SELECT count(*) FROM streams")),
                producers: Int(try connection.integer("SELECT count(*) FROM producers")), types: try typeCounts(),
                firstRecorded: try edge("ASC"), lastRecorded: try edge("DESC"),
                fileBytes: Int(try connection.integer("PRAGMA page_count") * connection.integer("PRAGMA page_size")))
        }
    }

    private func typeCounts() throws(SQLiteFailure) -> [LogStatistics.TypeCount] {
        let scan = try connection.prepare(
            "SELECT type, count(*), sum(length(payload)) FROM events GROUP BY type ORDER BY 2 DESC, 1")
        var counts: [LogStatistics.TypeCount] = []
        while try scan.step() {
            counts.append(
                .init(
                    type: EventType(try rows.types.name(scan.integer(0))), events: Int(scan.integer(1)),
                    payloadBytes: Int(scan.integer(2))))
        }
        return counts
    }

    /// Missing positions, then missing versions by stream. A log as it was written has none.
    package func gaps() throws(StoreError) -> [LogGap] {
        try storing { () throws(SQLiteFailure) in
            try connection.execute("BEGIN", doing: "read the log")
            defer { connection.endReading() }
            return try missing(from: "SELECT 0, position FROM events ORDER BY position")
                + missing(from: "SELECT stream, version FROM events ORDER BY stream, version")
        }
    }

    private func missing(from query: String) throws(SQLiteFailure) -> [LogGap] {
        let scan = try connection.prepare(query)
        var gaps: [LogGap] = []
        var last: (group: Int64, number: UInt64) = (0, 0)
        while try scan.step() {
            let (group, number) = (scan.integer(0), UInt64(bitPattern: scan.integer(1)))
            let expected = group == last.group ? last.number + 1 : 1
            if number > expected {
                let stream = group == 0 ? nil : StreamName(try rows.streams.name(group))
                gaps.append(LogGap(stream: stream, missing: expected...number - 1))
            }
            last = (group, number)
        }
        return gaps
    }

    /// The event at a position with the hash of its row; nil if there is none.
    package func event(at position: Position) throws(StoreError) -> (event: RecordedEvent, hash: [UInt8])? {
        guard position > .start else { return nil }
        guard let event = try read(after: Position(position.value - 1), limit: 1).events.first,
            event.position == position
        else { return nil }
        return (event, try hash(at: position))
    }

    /// The hash of a row.
    package func hash(at position: Position) throws(StoreError) -> [UInt8] {
        try storing { () throws(SQLiteFailure) in try rows.hash(at: position) }
    }
}

extension Connection {
    /// Ends a read transaction; it changed nothing, so there is nothing to fail.
    func endReading() {
        do throws(SQLiteFailure) { try execute("ROLLBACK", doing: "end reading the log") } catch {}
    }
}
