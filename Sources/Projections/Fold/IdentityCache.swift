import Glibc

/// Finds a series by the very bytes that named it before: for a row like an earlier one no text is made. Bytes it does
/// not know say nothing; then the message is decoded.
struct IdentityCache {
    /// Numbers only: looking at one touches no reference count.
    private struct Slot {
        var hash: UInt64 = 0
        /// 0: nobody is here.
        var series: Int64 = 0
        /// Where the head's bytes lie in `bytes`; the tail's follow.
        var start = 0
        var headCount = 0
        var tailCount = 0
    }

    /// Where the hash says, or behind that up to the first free one. At most half of them are taken.
    private var slots = Array(repeating: Slot(), count: 4_096)
    private var taken = 0
    private var bytes: [UInt8] = []
    /// With more slots than this it starts anew: a bound on memory, not on the number of series.
    private static let slotsAtMost = 131_072

    func series(of usage: UsageStatement) -> Int64? {
        let hash = usage.fact.identityHash
        var index = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[index].series != 0 {
            if slots[index].hash == hash, isSame(usage, slots[index]) { return slots[index].series }
            index = (index + 1) & (slots.count - 1)
        }
        return nil
    }

    private func isSame(_ usage: UsageStatement, _ slot: Slot) -> Bool {
        let (head, tail) = (usage.fact.identityHead, usage.fact.identityTail)
        guard head.count == slot.headCount, tail.count == slot.tailCount else { return false }
        return bytes.withUnsafeBytes { known in
            usage.fact.payload.withUnsafeBytes { bytes in
                let mine = UnsafeRawBufferPointer(rebasing: known[slot.start...])
                return equal(bytes, head, mine.prefix(head.count))
                    && equal(bytes, tail, mine.dropFirst(head.count).prefix(tail.count))
            }
        }
    }

    mutating func remember(_ fact: UsageFact, series: Int64) {
        if taken * 2 >= slots.count { makeRoom() }
        let slot = Slot(
            hash: fact.identityHash, series: series, start: bytes.count, headCount: fact.identityHead.count,
            tailCount: fact.identityTail.count)
        bytes.append(contentsOf: fact.payload[fact.identityHead])
        bytes.append(contentsOf: fact.payload[fact.identityTail])
        place(slot)
    }

    private mutating func makeRoom() {
        let known = slots
        let isFull = slots.count >= Self.slotsAtMost
        slots = Array(repeating: Slot(), count: isFull ? slots.count : slots.count * 2)
        taken = 0
        if isFull { return bytes.removeAll(keepingCapacity: true) }
        for slot in known where slot.series != 0 { place(slot) }
    }

    private mutating func place(_ slot: Slot) {
        var index = Int(truncatingIfNeeded: slot.hash) & (slots.count - 1)
        while slots[index].series != 0 { index = (index + 1) & (slots.count - 1) }
        slots[index] = slot
        taken += 1
    }
}

private func equal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ known: Slice<UnsafeRawBufferPointer>) -> Bool
{
    guard range.count == known.count else { return false }
    let known = UnsafeRawBufferPointer(rebasing: known)
    guard let left = known.baseAddress, let right = bytes.baseAddress else { return range.isEmpty }
    return memcmp(left, right + range.lowerBound, range.count) == 0
}

/// Finds a label's number by its bytes; rows of one batch name few of them.
struct LabelCache {
    private var last: (bytes: [UInt8], label: Int64) = ([], 0)

    mutating func label(
        _ usage: UsageStatement, _ range: Range<Int>, orElse make: (String) throws(ProjectionFailure) -> Int64
    ) throws -> Int64 {
        if range.isEmpty { return 0 }
        if last.bytes.withUnsafeBytes({ known in
            usage.fact.payload.withUnsafeBytes { equal($0, range, known[...]) }
        }) {
            return last.label
        }
        guard let text = String(validating: usage.fact.payload[range], as: UTF8.self) else {
            throw Inapplicable("a text is not UTF-8")
        }
        let label = try make(text)
        last = (Array(usage.fact.payload[range]), label)
        return label
    }
}
