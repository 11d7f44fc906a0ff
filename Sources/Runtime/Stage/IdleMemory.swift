import CRuntime
import ServiceLifecycle

/// Gives back what only the start of a stage needed, once it is ready: most of a program's memory is then pages of its own
/// file that it looked at once (relocations, metadata, protocol conformances).
struct IdleMemory: Service {
    /// Until the first work after the start is done, too.
    private static let pause = Duration.seconds(3)

    let health: StageHealth

    func run() async {
        await cancelWhenGracefulShutdown {
            do {
                repeat { try await Task.sleep(for: Self.pause) } while !health.isReady
                releaseStartMemory()
            } catch { return }  // Stopped before it was ready.
        }
        await untilStopped()
    }
}

/// Gives the pages back that only the start needed; those used again come back from the page cache.
package func releaseStartMemory() { runtime_release_start_pages() }
