import Digest
import Dispatch
import EventLog
import Glibc
import Synchronization

/// Where a reader stopped, so that it need not look for the place again.
struct ReadCursor {
    let after: UInt64
    let path: String
    let offset: Int
}

extension Spool {
    /// Records on disk after a number, in order, at most `limit` and about `bytes`.
    /// - Throws: `SpoolFailure`, with kind `damaged` and the place if a record is not what was written.
    package func read(after number: UInt64, limit: Int, bytes: Int = 4 << 20) async throws(SpoolFailure)
        -> [SpoolRecord]
    {
        let result = await withCheckedContinuation { continuation in
            reads.async {
                continuation.resume(
                    returning: Result { () throws(SpoolFailure) in
                        try self.readNow(after: number, limit: limit, bytes: bytes)
                    })
            }
        }
        return try result.get()
    }

    /// A part of a file that holds records on disk.
    private struct Part {
        let path: String
        let last: UInt64
        let end: Int
    }

    private func readNow(after number: UInt64, limit: Int, bytes: Int) throws(SpoolFailure) -> [SpoolRecord] {
        let (parts, durable) = core.state.withLock { state in
            let closed = state.segments.map { Part(path: $0.path, last: $0.last, end: $0.bytes) }
            let active = Part(path: state.active.path, last: state.next - 1, end: state.activeBytes)
            return (closed + (state.next > state.activeFirst ? [active] : []), state.durable)
        }
        var records: [SpoolRecord] = []
        var room = bytes
        for part in parts where part.last > number {
            guard records.count < limit, room > 0 else { break }
            do throws(SpoolFailure) {
                try read(part, after: number, through: durable, limit: limit, &room, &records)
            } catch {
                // What has all arrived meanwhile is deleted.
                guard core.state.withLock({ $0.released >= part.last }) else { throw error }
            }
        }
        return records
    }

    private func read(
        _ part: Part, after number: UInt64, through durable: UInt64, limit: Int, _ room: inout Int,
        _ records: inout [SpoolRecord]
    ) throws(SpoolFailure) {
        let known = cursor.withLock { $0.flatMap { $0.after == number && $0.path == part.path ? $0.offset : nil } }
        let start = known ?? RecordForm.fileStart.count
        let file = try SpoolFile(part.path, O_RDONLY)
        // From a known place a batch is enough; elsewhere the place has to be looked for.
        let wanted = known == nil ? part.end - start : min(part.end - start, room + RecordForm.recordBytes)
        let bytes = try file.read(from: start, count: wanted)
        var decoder = EventDecoder()
        var hash = SHA256()
        let outcome = bytes.withUnsafeBytes { (bytes) -> Result<Int, SpoolFailure> in
            var offset = 0
            while offset < bytes.count, records.count < limit, room > 0 {
                guard case .record(let found, let end) = RecordForm.look(bytes, at: offset, &hash) else {
                    return .failure(Self.damage(part.path, start + offset))
                }
                if found > durable { break }
                if found > number {
                    do throws(EventDecoder.Malformed) {
                        records.append(try RecordForm.decode(bytes, at: offset, &decoder))
                    } catch {
                        return .failure(Self.damage(part.path, start + error.at))
                    }
                    room -= end - offset
                }
                offset = end
            }
            return .success(start + offset)
        }
        let offset = try outcome.get()
        if let last = records.last?.number {
            cursor.withLock { $0 = ReadCursor(after: last, path: part.path, offset: offset) }
        }
    }

    private static func damage(_ path: String, _ offset: Int) -> SpoolFailure {
        SpoolFailure(
            .damaged, path: path,
            reason: "at byte \(offset) is no record any more; a restart of the gateway sets it aside and goes on")
    }

    /// Says that everything up to here has arrived: files that hold nothing else are deleted.
    /// - Throws: `SpoolFailure` if a file cannot be deleted; it is tried again next time.
    package func release(through number: UInt64) throws(SpoolFailure) {
        let done = core.state.withLock { state in
            state.released = max(state.released, min(number, state.next - 1))
            return state.segments.prefix { $0.last <= number }
        }
        for segment in done {
            guard unlink(segment.path) == 0 || errno == ENOENT else { throw .system("delete it", segment.path) }
            core.state.withLock { state in
                state.segments.removeAll { $0 == segment }
                state.totalBytes -= segment.bytes
            }
        }
        try core.makeRoom()
    }

    // MARK: The place of its numbers among the producer's sequences

    /// Finds the place of the spool's numbers among the producer's sequences in the log, and keeps it. They are the same,
    /// but for a spool that was begun anew under a name that the log knows, and for one that lost what the log has.
    /// - Parameter sequence: the producer's last one in the log.
    /// - Returns: what is added to a number to make it a sequence, and whether the spool has lost something.
    /// - Throws: `SpoolFailure` if it cannot be read or kept.
    package func anchor(lastSequence sequence: UInt64) throws(SpoolFailure) -> (base: UInt64, isBehind: Bool) {
        try anchored.withLock { (anchored) throws(SpoolFailure) in
            if let anchored { return (anchored, false) }
            let path = directory + "/sequence-base"
            let known = try Self.base(at: path)
            // Of a spool that the log was never asked about nothing is in the log. Of any other, nothing beyond what was on
            // disk at its opening: only what is on disk is delivered.
            let isBehind = known.map { sequence > $0 + recovery.last } ?? false
            let base = isBehind ? sequence - recovery.last : known ?? sequence
            if base != known { try PrivateFiles.replace(path, with: Array(String(base).utf8)) }
            anchored = base
            return (base, isBehind)
        }
    }

    /// The record that a sequence of the producer stands for, by what was last known of the place.
    /// - Returns: 0 where the log was never asked, and for a sequence that no record of this spool can have.
    /// - Throws: `SpoolFailure` if what is known cannot be read.
    package func number(ofSequence sequence: UInt64) throws(SpoolFailure) -> UInt64 {
        let known = anchored.withLock { $0 }
        guard let base = if let known { known } else { try Self.base(at: directory + "/sequence-base") },
            sequence > base, sequence - base <= recovery.last
        else { return 0 }
        return sequence - base
    }

    private static func base(at path: String) throws(SpoolFailure) -> UInt64? {
        guard let bytes = try PrivateFiles.read(path) else { return nil }
        guard let base = UInt64(String(decoding: bytes, as: UTF8.self)) else {
            throw SpoolFailure(.damaged, path: path, reason: "it should hold a number")
        }
        return base
    }
}
