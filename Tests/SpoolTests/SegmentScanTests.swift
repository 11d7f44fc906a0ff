import Testing

@testable import Spool

@Suite struct SegmentScanTests {
    /// As a file is before its first record, which a full disk may have refused: `Spool.mend` goes by this, too.
    @Test(arguments: [true, false]) func anEmptyFileIsNotDamaged(_ isLast: Bool) {
        let scan = [UInt8]().withUnsafeBytes { SegmentScan($0, first: 7, isLast: isLast) }
        #expect(scan.records.isEmpty && scan.last == nil && scan.missing == 0)
        #expect(scan.damaged.isEmpty && scan.tornAt == nil)
    }
}
