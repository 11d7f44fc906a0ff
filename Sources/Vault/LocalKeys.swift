import Glibc

/// The local master keys of a directory: one, and while it is being replaced its successor beside it. Both names are
/// there for as long as any secret needs them, so that every secret opens at every moment.
package struct LocalKeys: Sendable {
    /// The key's file.
    package let path: String
    /// Its successor's, while secrets move from one to the other.
    package var successorPath: String {
        path.hasSuffix(".key") ? path.dropLast(4) + ".next.key" : path + ".next"
    }

    package init(path: String) { self.path = path }

    /// Whether a change of keys was begun and not ended.
    package var isChanging: Bool { access(successorPath, F_OK) == 0 }

    /// What wraps from now on.
    /// - Throws: as `LocalMasterKey.open`.
    package func current() throws(VaultError) -> LocalMasterKey {
        if isChanging, let successor = try opened(successorPath) { return successor }
        return try LocalMasterKey.open(at: path)
    }

    /// The key of this id. Of an unknown one, the present key, which says so when it is used.
    /// - Throws: as `LocalMasterKey.open`.
    func key(_ id: String) throws(VaultError) -> LocalMasterKey {
        let present = try LocalMasterKey.open(at: path)
        if present.keyID == id { return present }
        if let successor = try opened(successorPath), successor.keyID == id { return successor }
        // The successor may have taken its place in between.
        return try LocalMasterKey.open(at: path)
    }

    /// Makes a successor, unless a change was begun before. New secrets lie under it from now on.
    /// - Returns: its id.
    /// - Throws: `VaultError`.
    func begin() throws(VaultError) -> String {
        _ = try LocalMasterKey.create(at: successorPath)
        return try current().keyID
    }

    /// The successor takes the key's place: the old key is gone with that. Only when nothing lies under it.
    /// - Throws: `VaultError.fileSystem`.
    func end() throws(VaultError) {
        guard isChanging else { return }
        try PrivateFile.Replacement(temporary: successorPath, path: path).commit()
    }

    /// - Returns: nil if there is none any more.
    private func opened(_ path: String) throws(VaultError) -> LocalMasterKey? {
        do { return try LocalMasterKey.open(at: path) } catch {
            if error.code == .masterKeyMissing || access(path, F_OK) != 0 { return nil }
            throw error
        }
    }
}
