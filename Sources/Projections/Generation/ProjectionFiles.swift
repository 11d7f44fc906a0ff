import Foundation

/// The files of the projections: generations, and the symlink that names the one to read. Readers open through the
/// symlink; a swap is a rename over it, never over a database (its `-wal` would stay behind and be read).
package struct ProjectionFiles: Hashable, Sendable {
    /// The directory that holds generations and the symlink.
    package let directory: String

    package init(directory: String) { self.directory = directory }

    /// The symlink: what readers open.
    package var current: String { directory + "/current.db" }

    /// The generation that readers get; nil before the first build.
    package var currentGeneration: String? {
        // No link is no generation, whatever the reason: opening says more.
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: current) else { return nil }
        return target.hasPrefix("/") ? target : directory + "/" + target
    }

    /// A name that no generation has, for a new one to be built in.
    func nextGeneration() throws -> String {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return directory + "/\((try numbers().max() ?? 0) + 1).db"
    }

    /// Lets readers have `generation`, atomically, and removes all older ones: whoever has one open keeps reading it.
    func swap(to generation: String) throws {
        try flush(generation)
        let name = generation.split(separator: "/").last.map(String.init) ?? generation
        let link = directory + "/current.new"
        try? FileManager.default.removeItem(atPath: link)  // Of a swap that was killed; there may be none.
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: name)
        guard rename(link, current) == 0 else {
            throw ProjectionFailure(
                code: "errno-\(errno)", message: "the new projections cannot be swapped in at \(current)")
        }
        for number in try numbers() where "\(number).db" != name { Self.remove(directory + "/\(number).db") }
    }

    /// A build writes without syncing: what readers get must be on the disk whole.
    private func flush(_ generation: String) throws {
        let descriptor = open(generation, O_RDWR | O_CLOEXEC)
        defer { close(descriptor) }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw ProjectionFailure(
                code: "errno-\(errno)", message: "\(generation): \(String(cString: strerror(errno)))")
        }
    }

    static func remove(_ database: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            try? FileManager.default.removeItem(atPath: database + suffix)  // Any of them may not exist.
        }
    }

    /// Generations that a killed build left behind, at most one of which is current.
    func removeAbandoned() throws {
        let keep = currentGeneration
        for number in try numbers() where directory + "/\(number).db" != keep {
            Self.remove(directory + "/\(number).db")
        }
    }

    private func numbers() throws -> [Int] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: directory).compactMap {
            $0.hasSuffix(".db") ? Int($0.dropLast(3)) : nil
        }
    }
}
