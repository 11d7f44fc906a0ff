import Glibc

/// Mounts that only the calling thread sees, and that end with it.
package enum PrivateMount {
    private typealias Mount =
        @convention(c) (
            UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UInt, UnsafePointer<CChar>?
        ) -> Int32
    private typealias Unshare = @convention(c) (Int32) -> Int32

    /// - Returns: false if this machine lets nobody mount.
    package static func temporaryFileSystem(at path: String, bytes: Int) -> Bool {
        let (newMounts, recursivelyPrivate): (Int32, UInt) = (0x2_0000, 0x4_0000 | 0x4000)
        guard let unshare = dlsym(nil, "unshare"), let mount = dlsym(nil, "mount") else { return false }
        let mountIt = unsafeBitCast(mount, to: Mount.self)
        return unsafeBitCast(unshare, to: Unshare.self)(newMounts) == 0
            && mountIt("none", "/", nil, recursivelyPrivate, nil) == 0
            && mountIt("finops-test", path, "tmpfs", 0, "size=\(bytes),mode=700") == 0
    }
}
