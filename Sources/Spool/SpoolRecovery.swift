import Digest
import Glibc

/// What was found when a spool was opened: for the log, the metrics and the alerts of whoever opens it.
package struct SpoolRecovery: Hashable, Sendable {
    /// Records that were there and could be read.
    package internal(set) var records = 0
    /// Bytes of a last record that was never written whole: cut off. Nobody was told that it was kept, or the power failed
    /// before it was on disk.
    package internal(set) var tornBytes = 0
    /// Numbers between the first and the last record that are not there.
    package internal(set) var missing: UInt64 = 0
    package internal(set) var damage: [SpoolDamage] = []
    /// The last number on disk then; 0 for a new spool.
    package internal(set) var last: UInt64 = 0

    private static let placesNamed = 3

    /// For a person, what was kept and cannot be delivered any more; nil where nothing is.
    package var loss: String? {
        guard missing > 0 || !damage.isEmpty else { return nil }
        let counted = missing == 0 ? [] : ["\(missing) records between the first and the last are not there"]
        let more = damage.count > Self.placesNamed ? ["\(damage.count - Self.placesNamed) more places"] : []
        return (counted + damage.prefix(Self.placesNamed).map(\.description) + more).joined(separator: "; ")
    }
}

/// A place of a spool that could not be read: whatever was there is lost to the log, and its bytes are kept.
package struct SpoolDamage: Hashable, Sendable, CustomStringConvertible {
    package let path: String
    package let offset: Int
    package let bytes: Int
    /// The file with those bytes.
    package let keptAt: String

    package var description: String {
        "\(path): \(bytes) bytes from byte \(offset) on are no records (set aside in \(keptAt))"
    }
}

/// A file of the spool with at least one record, which is not written any more.
struct Segment: Hashable, Sendable {
    let path: String
    let first: UInt64
    var last: UInt64
    var bytes: Int

    static let ending = ".spool"

    static func path(in directory: String, first: UInt64) -> String {
        let digits = String(first)
        return directory + "/" + String(repeating: "0", count: 20 - digits.count) + digits + ending
    }

    /// The number with which a file of this name begins; nil for any other file.
    static func first(of name: String) -> UInt64? {
        guard name.hasSuffix(ending), name.utf8.count == 20 + ending.utf8.count else { return nil }
        return UInt64(name.dropLast(ending.count)).flatMap { $0 > 0 ? $0 : nil }
    }
}

extension Segment {
    /// Reads every file of a spool, cuts off a torn end and sets aside what is damaged.
    static func recover(_ directory: String) throws(SpoolFailure) -> (segments: [Segment], next: UInt64, SpoolRecovery)
    {
        var recovery = SpoolRecovery()
        var segments: [Segment] = []
        var next: UInt64 = 1
        let firsts = try PrivateFiles.names(in: directory).compactMap(Segment.first(of:)).sorted()
        for first in firsts {
            if let last = segments.last?.last, first > last + 1 { recovery.missing += first - last - 1 }
            next = max(next, first)
            let path = Segment.path(in: directory, first: first)
            let segment = try recover(path, first: first, isLast: first == firsts.last, directory, &recovery)
            guard let segment else { continue }
            next = max(next, segment.last + 1)
            segments.append(segment)
        }
        recovery.last = next - 1
        return (segments, next, recovery)
    }

    /// - Returns: nil if the file held no record; it is removed then.
    private static func recover(
        _ path: String, first: UInt64, isLast: Bool, _ directory: String, _ recovery: inout SpoolRecovery
    ) throws(SpoolFailure) -> Segment? {
        let file = try SpoolFile(path, O_RDWR)
        let bytes = try file.readAll()
        let scan = bytes.withUnsafeBytes { SegmentScan($0, first: first, isLast: isLast) }
        recovery.records += scan.records.count
        recovery.missing += scan.missing
        if let tornAt = scan.tornAt { recovery.tornBytes += bytes.count - tornAt }
        var length = scan.tornAt ?? bytes.count
        if !scan.damaged.isEmpty {
            recovery.damage += try setAside(scan.damaged, of: bytes, path, directory)
            let sound = RecordForm.fileStart + scan.records.flatMap { bytes[$0] }
            try PrivateFiles.replace(path, with: sound)
            length = sound.count
        } else if scan.tornAt != nil {
            guard ftruncate(file.descriptor, off_t(length)) == 0 else { throw .system("cut off its torn end", path) }
            try file.sync()
        }
        guard let last = scan.last else {
            guard unlink(path) == 0 else { throw .system("remove it, since it is empty", path) }
            return nil
        }
        return Segment(path: path, first: first, last: last, bytes: length)
    }

    /// Keeps what is damaged, so that nothing of it is ever thrown away.
    private static func setAside(
        _ ranges: [Range<Int>], of bytes: [UInt8], _ path: String, _ directory: String
    ) throws(SpoolFailure) -> [SpoolDamage] {
        let folder = directory + "/damaged"
        try PrivateFiles.makeDirectory(folder)
        var damage: [SpoolDamage] = []
        for range in ranges {
            let name = path.split(separator: "/").last ?? ""
            let kept = "\(folder)/\(name)-\(range.lowerBound)"
            try PrivateFiles.replace(kept, with: Array(bytes[range]))
            damage.append(SpoolDamage(path: path, offset: range.lowerBound, bytes: range.count, keptAt: kept))
        }
        return damage
    }
}
