import Glibc

/// Files that only their owner may read, replaced whole or not at all.
package enum PrivateFile {
    /// A new content on disk beside the old one. Until `commit` the old one counts, whatever happens.
    package struct Replacement {
        let temporary: String
        let path: String

        /// Puts the new content in the old one's place, durably.
        /// - Throws: `VaultError.fileSystem`.
        package func commit() throws(VaultError) {
            guard rename(temporary, path) == 0 else { throw PrivateFile.failure("put \(path) in place") }
            try PrivateFile.syncDirectory(of: path)
        }

        /// Gives it up: the old content stays.
        /// - Throws: `VaultError.fileSystem`.
        package func discard() throws(VaultError) {
            guard unlink(temporary) == 0 || errno == ENOENT else { throw PrivateFile.failure("remove \(temporary)") }
        }
    }

    /// Names of half-made files begin with a dot and end so; whoever lists a directory skips them.
    package static let temporarySuffix = ".tmp"

    /// Writes and syncs a temporary file (0600) in the same directory.
    /// - Throws: `VaultError.fileSystem`; nothing is left behind then.
    package static func prepare(_ bytes: [UInt8], for path: String) throws(VaultError) -> Replacement {
        let name = path.split(separator: "/").last ?? ""
        let random = try randomBytes(6).map { String($0, radix: 16) }.joined()
        let temporary = directory(of: path) + "/.\(name).\(random)\(temporarySuffix)"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("write \(temporary)") }
        do throws(VaultError) {
            defer { close(descriptor) }
            try write(bytes, to: descriptor, path: temporary)
            guard fsync(descriptor) == 0 else { throw failure("sync \(temporary)") }
        } catch {
            unlink(temporary)
            throw error
        }
        return Replacement(temporary: temporary, path: path)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(VaultError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write \(path)") }
            written += count
        }
    }

    /// No file of ours is larger.
    private static let bytesLimit = 256 << 10

    /// - Throws: `VaultError.fileSystem`.
    package static func read(_ path: String) throws(VaultError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("read \(path)") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: bytesLimit)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if got == 0 { break }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw failure("read \(path)") }
            count += got
        }
        // In place: a copy would leave a master key behind in freed memory.
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Makes a directory (0700) unless it is there.
    package static func makeDirectory(_ path: String) throws(VaultError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make the directory \(path)") }
    }

    /// - Returns: whether there was something to remove.
    package static func remove(_ path: String) throws(VaultError) -> Bool {
        guard unlink(path) == 0 else {
            if errno == ENOENT { return false }
            throw failure("remove \(path)")
        }
        try syncDirectory(of: path)
        return true
    }

    /// - Throws: `VaultError.permissions` if anybody but the owner has a right on it, or the owner is somebody else.
    package static func checkPrivate(_ path: String, remedyMode: String) throws(VaultError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("look at \(path)") }
        guard status.st_mode & 0o077 == 0 else {
            throw VaultError(
                .permissions,
                "others than its owner may use \(path) (mode \(String(status.st_mode & 0o777, radix: 8))): run `chmod \(remedyMode) \(path)`"
            )
        }
        guard status.st_uid == geteuid() || geteuid() == 0 else {
            throw VaultError(
                .permissions, "\(path) belongs to user \(status.st_uid): run as that user, or `chown` it to yours")
        }
    }

    /// Runs `body` while no other process holds this file's lock; it waits for that.
    /// - Throws: `VaultError.fileSystem`; what `body` throws.
    package static func exclusively<R>(_ path: String, _ body: () throws(VaultError) -> R) throws(VaultError) -> R {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("open \(path)") }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw failure("lock \(path)") }
        }
        return try body()
    }

    /// What stands before the last slash.
    package static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func syncDirectory(of path: String) throws(VaultError) {
        let directory = directory(of: path)
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open \(directory)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync \(directory)") }
    }

    /// `errno` in a sentence.
    static func failure(_ attempt: String) -> VaultError {
        let number = errno
        return VaultError(.fileSystem, "cannot \(attempt): \(String(cString: strerror(number))) (errno \(number))")
    }
}
