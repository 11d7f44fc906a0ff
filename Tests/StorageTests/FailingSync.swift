import CSQLite
import Glibc
import Synchronization

/// A file system whose syncs fail when told to: SQLite's own, but for the files of one folder.
enum FailingSync {
    private struct State {
        var folder: String?
        var isInstalled = false
    }

    private static let state = Mutex(State())
    private nonisolated(unsafe) static var openFile:
        (
            @convention(c) (
                UnsafeMutablePointer<sqlite3_vfs>?, UnsafePointer<CChar>?, UnsafeMutablePointer<sqlite3_file>?, Int32,
                UnsafeMutablePointer<Int32>?
            ) -> Int32
        )?
    private nonisolated(unsafe) static var sync: (@convention(c) (UnsafeMutablePointer<sqlite3_file>?, Int32) -> Int32)?

    /// From now on the files of this folder are opened with a sync that can be made to fail; for all others nothing changes.
    static func watch(_ folder: String) {
        state.withLock { state in
            state.folder = folder
            guard !state.isInstalled, let real = sqlite3_vfs_find(nil) else { return }
            state.isInstalled = true
            openFile = real.pointee.xOpen
            let ours = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
            ours.initialize(to: real.pointee)
            ours.pointee.zName = UnsafePointer(strdup("finops-failing-sync"))
            ours.pointee.xOpen = { vfs, path, file, flags, outFlags in
                let code = FailingSync.openFile?(vfs, path, file, flags, outFlags) ?? SQLITE_CANTOPEN
                if code == SQLITE_OK, let path, let file { FailingSync.adopt(file, String(cString: path)) }
                return code
            }
            sqlite3_vfs_register(ours, 1)
        }
    }

    private static func adopt(_ file: UnsafeMutablePointer<sqlite3_file>, _ path: String) {
        guard let methods = file.pointee.pMethods, state.withLock({ $0.folder.map(path.hasPrefix) ?? false }) else {
            return
        }
        sync = methods.pointee.xSync
        // Kept for the rest of the process: a file does not say when it lets go of them.
        let ours = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        ours.initialize(to: methods.pointee)
        ours.pointee.xSync = { file, flags in
            if FailingSync.isFailing { return SQLITE_IOERR | (4 << 8) }
            return FailingSync.sync?(file, flags) ?? SQLITE_IOERR
        }
        file.pointee.pMethods = UnsafePointer(ours)
    }

    private static let failing = Atomic(false)

    /// Whether the files of the watched folder cannot be synced.
    static var isFailing: Bool {
        get { failing.load(ordering: .sequentiallyConsistent) }
        set { failing.store(newValue, ordering: .sequentiallyConsistent) }
    }
}
