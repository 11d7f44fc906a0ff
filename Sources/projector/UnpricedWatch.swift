import FinOps
import Logging
import Messaging
import Projections
import Runtime
import ServiceLifecycle
import Stages

/// Tells the log of each model that calls through gateways used without a price, once: people are then told as they are of
/// a model that the collector meets. The projections know which ones, so a call costs nothing for it.
struct UnpricedWatch: Service {
    let context: StageContext

    private static let pause = Duration.seconds(2)
    private static let modelsAtATime = 100
    /// The next look is as good as a second attempt.
    private static let patienceMilliseconds: Int64 = 5_000

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await look()
                // Cancelled while asleep: the loop ends.
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    /// With a connection of its own, which most looks have no need of: one that could not be made does not stand in the way
    /// of the next.
    private func look() async {
        do {
            let reader = try ProjectionReader(path: context.directory.projectionFiles.current)
            let found = try reader.untoldUnpricedModels(limit: Self.modelsAtATime)
            guard !found.isEmpty else { return }
            var options = context.link.options
            options.deadlineMilliseconds = Self.patienceMilliseconds
            let store = RemoteEventStore(options, reader: context.directory.logReader)
            defer { store.close() }
            for model in try await UnpricedModels(store: store).tell(found, at: context.clock.now()) {
                context.logger.notice(
                    "model without a price", metadata: ["provider": "\(model.provider)", "model": "\(model.model)"])
            }
        } catch {
            // It is found again the next time: nothing is there yet, or the log is away.
            context.logger.debug("unpriced models not told", metadata: ["error": "\(error)"])
        }
    }
}
