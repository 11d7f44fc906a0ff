import Digest
import EventLog
import Glibc

/// Records that the log refused for good, each in a file of its own, until somebody has mended the cause.
extension Spool {
    /// Keeps one, durably, in the spool's form.
    /// - Returns: the file.
    package func setAside(_ record: SpoolRecord) throws(SpoolFailure) -> String {
        let folder = Self.refusedFolder(of: directory)
        try PrivateFiles.makeDirectory(folder)
        var bytes: [UInt8] = []
        var hash = SHA256()
        RecordForm.encode(record.event, in: record.stream, number: record.number, into: &bytes, &hash)
        let path = Segment.path(in: folder, first: record.number)
        try PrivateFiles.replace(path, with: RecordForm.fileStart + bytes)
        return path
    }

    private static func refusedFolder(of directory: String) -> String { directory + "/refused" }

    /// The numbers of those that are kept, in order; of a spool that somebody else may be writing.
    package static func refusedNumbers(of directory: String) throws(SpoolFailure) -> [UInt64] {
        let folder = refusedFolder(of: directory)
        guard access(folder, F_OK) == 0 else { return [] }
        return try PrivateFiles.names(in: folder).compactMap(Segment.first(of:)).sorted()
    }

    /// Reads one again.
    /// - Returns: nil if there is none of that number.
    /// - Throws: `damaged` if it is not what was written.
    package static func refused(_ number: UInt64, of directory: String) throws(SpoolFailure) -> SpoolRecord? {
        let path = Segment.path(in: refusedFolder(of: directory), first: number)
        guard let bytes = try PrivateFiles.read(path) else { return nil }
        let record = bytes.withUnsafeBytes { bytes -> SpoolRecord? in
            var hash = SHA256()
            var decoder = EventDecoder()
            let start = RecordForm.fileStart.count
            guard bytes.starts(with: RecordForm.fileStart),
                case .record(number, bytes.count) = RecordForm.look(bytes, at: start, &hash)
            else { return nil }
            do throws(EventDecoder.Malformed) { return try RecordForm.decode(bytes, at: start, &decoder) } catch {
                return nil
            }
        }
        guard let record else { throw SpoolFailure(.damaged, path: path, reason: "it is not what was written") }
        return record
    }

    /// Forgets one that has arrived after all.
    package static func forgetRefused(_ number: UInt64, of directory: String) throws(SpoolFailure) {
        let path = Segment.path(in: refusedFolder(of: directory), first: number)
        guard unlink(path) == 0 || errno == ENOENT else { throw .system("delete it", path) }
    }
}
