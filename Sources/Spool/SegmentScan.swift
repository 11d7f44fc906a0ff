import Digest

/// What a file of the spool holds, found by reading all of it.
struct SegmentScan {
    /// Of whole records, in order.
    private(set) var records: [Range<Int>] = []
    private(set) var last: UInt64?
    /// Numbers that should lie between those that were found.
    private(set) var missing: UInt64 = 0
    /// What is no record although something was written there.
    private(set) var damaged: [Range<Int>] = []
    /// Where a record begins that was never written whole.
    private(set) var tornAt: Int?

    /// - Parameters:
    ///   - first: the number with which the file begins.
    ///   - isLast: whether it is the one that was written last, so that its end may be torn.
    init(_ bytes: UnsafeRawBufferPointer, first: UInt64, isLast: Bool) {
        // Nothing has been written into it yet.
        if bytes.isEmpty { return }
        var hash = SHA256()
        var offset = 0
        if bytes.starts(with: RecordForm.fileStart) {
            offset = RecordForm.fileStart.count
        } else if isLast, bytes.count < RecordForm.fileStart.count {
            tornAt = 0
            return
        } else {
            offset = skip(bytes, from: 0, first, &hash)
        }
        while offset < bytes.count, tornAt == nil {
            if let end = take(bytes, at: offset, first, &hash) {
                offset = end
            } else if isLast, Self.isTorn(bytes, at: offset, &hash),
                Self.nextRecord(bytes, after: offset, beyond: last ?? first - 1, &hash) == nil
            {
                tornAt = offset
            } else {
                offset = skip(bytes, from: offset, first, &hash)
            }
        }
    }

    /// - Returns: where the next record begins; nil if there is none here that belongs here.
    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, _ first: UInt64, _ hash: inout SHA256
    ) -> Int? {
        guard case .record(let number, let end) = RecordForm.look(bytes, at: offset, &hash),
            number >= (last.map { $0 + 1 } ?? first)
        else { return nil }
        missing += number - (last.map { $0 + 1 } ?? first)
        last = number
        records.append(offset..<end)
        return end
    }

    /// Passes over damage, to the next record or the end.
    private mutating func skip(
        _ bytes: UnsafeRawBufferPointer, from offset: Int, _ first: UInt64, _ hash: inout SHA256
    ) -> Int {
        let next = Self.nextRecord(bytes, after: offset, beyond: last ?? first - 1, &hash) ?? bytes.count
        damaged.append(offset..<next)
        return next
    }

    /// A write that a crash cut short leaves less than a record, or zeros where its bytes should be.
    private static func isTorn(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ hash: inout SHA256) -> Bool {
        if case .cut = RecordForm.look(bytes, at: offset, &hash) { return true }
        return bytes[offset...].allSatisfy { $0 == 0 }
    }

    /// Looks for a whole record byte by byte: a damaged length says nothing about where the next one begins.
    private static func nextRecord(
        _ bytes: UnsafeRawBufferPointer, after offset: Int, beyond last: UInt64, _ hash: inout SHA256
    ) -> Int? {
        guard bytes.count - offset > RecordForm.headBytes else { return nil }
        // Each record takes more bytes than one: a number further on cannot be one of this file.
        let possible = last...last + UInt64(bytes.count)
        return (offset + 1...bytes.count - RecordForm.headBytes).first { candidate in
            let number = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: candidate + 12, as: UInt64.self))
            guard possible.contains(number), number > last else { return false }
            if case .record = RecordForm.look(bytes, at: candidate, &hash) { return true }
            return false
        }
    }
}
