import Foundation

/// One keeper of the projections at a time: an advisory lock that ends with its process, however that ends.
package struct ProjectionLock: ~Copyable {
    /// What is locked; also the name of its file.
    package enum Purpose: String, Sendable {
        /// Keeping the current generation up to date.
        case keeping = "lock"
        /// Building a new generation; the current one may be kept meanwhile.
        case building = "build.lock"
    }

    private let descriptor: Int32

    /// - Returns: nil if somebody else holds it.
    /// - Throws: `ProjectionFailure` if the lock file cannot be opened.
    package static func take(_ purpose: Purpose, of files: ProjectionFiles) throws -> ProjectionLock? {
        try FileManager.default.createDirectory(atPath: files.directory, withIntermediateDirectories: true)
        let path = files.directory + "/" + purpose.rawValue
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ProjectionFailure(code: "errno-\(errno)", message: "\(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return ProjectionLock(descriptor: descriptor)
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
