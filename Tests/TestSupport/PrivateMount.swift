import Glibc

/// A small file system that only programs see which are started by `running`. It ends with this and the last of them.
package final class PrivateMount: Sendable {
    private typealias Mount =
        @convention(c) (
            UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UInt, UnsafePointer<CChar>?
        ) -> Int32
    private typealias Unshare = @convention(c) (Int32) -> Int32
    private typealias SetNamespace = @convention(c) (Int32, Int32) -> Int32
    private static let newMounts: Int32 = 0x2_0000

    /// Of the namespace that has it.
    private let descriptor: Int32

    /// - Returns: nil if this machine lets nobody mount.
    package static func temporaryFileSystem(at path: String, bytes: Int) async -> PrivateMount? {
        await BlockingThread.running {
            let recursivelyPrivate: UInt = 0x4_0000 | 0x4000
            guard let unshare = dlsym(nil, "unshare"), let mount = dlsym(nil, "mount") else { return nil }
            let mountIt = unsafeBitCast(mount, to: Mount.self)
            guard unsafeBitCast(unshare, to: Unshare.self)(newMounts) == 0,
                mountIt("none", "/", nil, recursivelyPrivate, nil) == 0,
                mountIt("finops-test", path, "tmpfs", 0, "size=\(bytes),mode=700") == 0
            else { return nil }
            let descriptor = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC)
            return descriptor < 0 ? nil : PrivateMount(descriptor)
        }
    }

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Runs on a thread, and starts programs, that see the file system.
    package func running<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let result = await BlockingThread.running { () -> Result<Value, any Error> in
            guard let unshare = dlsym(nil, "unshare"), let enter = dlsym(nil, "setns"),
                unsafeBitCast(unshare, to: Unshare.self)(Self.newMounts) == 0,
                unsafeBitCast(enter, to: SetNamespace.self)(self.descriptor, Self.newMounts) == 0
            else { return .failure(NoEntry(code: errno)) }
            return Result { try body() }
        }
        return try result.get()
    }

    private struct NoEntry: Error { let code: Int32 }
}
