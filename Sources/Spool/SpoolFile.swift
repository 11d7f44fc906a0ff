import Glibc

/// An open file; closed when nobody uses it any more.
final class SpoolFile: Sendable {
    let path: String
    let descriptor: Int32

    init(_ path: String, _ flags: Int32) throws(SpoolFailure) {
        self.path = path
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("open it", path) }
    }

    deinit { close(descriptor) }

    /// Writes all of it at the end.
    func write(_ bytes: [UInt8]) throws(SpoolFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("write it", path) }
            written += count
        }
    }

    /// At most `count` bytes from `offset`; fewer where the file ends.
    func read(from offset: Int, count: Int) throws(SpoolFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + filled, count - filled, off_t(offset + filled))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system("read it", path) }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    func size() throws(SpoolFailure) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("look at it", path) }
        return Int(status.st_size)
    }

    func readAll() throws(SpoolFailure) -> [UInt8] { try read(from: 0, count: try size()) }

    func sync() throws(SpoolFailure) {
        guard fsync(descriptor) == 0 else { throw .system("sync it", path) }
    }
}

/// Files and folders that only their owner may read.
enum PrivateFiles {
    /// Makes a folder (0700) and what is missing above it.
    static func makeDirectory(_ path: String) throws(SpoolFailure) {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw .system("make the folder", path)
        }
        try makeDirectory(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system("make the folder", path) }
        try syncDirectory(String(path[..<slash]))
    }

    /// Replaces a file whole or not at all, durably.
    static func replace(_ path: String, with bytes: [UInt8]) throws(SpoolFailure) {
        let temporary = path + ".tmp"
        let file = try SpoolFile(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        do throws(SpoolFailure) {
            try file.write(bytes)
            try file.sync()
            guard rename(temporary, path) == 0 else { throw .system("put it in place", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        try syncDirectory(directory(of: path))
    }

    /// - Returns: nil if there is no such file.
    static func read(_ path: String) throws(SpoolFailure) -> [UInt8]? {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        return try SpoolFile(path, O_RDONLY).readAll()
    }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func syncDirectory(_ path: String) throws(SpoolFailure) {
        try SpoolFile(path, O_RDONLY | O_DIRECTORY).sync()
    }

    /// Names in a folder, without `.` and `..`.
    static func names(in path: String) throws(SpoolFailure) -> [String] {
        guard let listing = opendir(path) else { throw .system("list it", path) }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// The right to write one spool: an flock on its lock file, released when the process ends, however it ends.
final class SpoolLock: Sendable {
    private let file: SpoolFile

    init(_ path: String) throws(SpoolFailure) {
        file = try SpoolFile(path, O_RDWR | O_CREAT)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw .system("lock it", path) }
            throw SpoolFailure(
                .locked, path: path,
                reason: "another gateway of this name writes this spool: stop it, or give this one another --name")
        }
    }
}
