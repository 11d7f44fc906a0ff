package import EventLog
package import FinOps
package import Logging
package import Notices

extension Notifier {
    /// What it goes by.
    package struct Settings: Sendable {
        package var outbox: Outbox.Settings
        package var silence: SilenceWatch.Settings
        /// The stages to watch, each with the condition of its standstill.
        package var stages: [String: String]
        /// How often it looks what does not happen.
        package var tick: Duration

        package init(
            outbox: Outbox.Settings = Outbox.Settings(), silence: SilenceWatch.Settings = SilenceWatch.Settings(),
            stages: [String: String] = [:], tick: Duration = .seconds(5)
        ) {
            self.outbox = outbox
            self.silence = silence
            self.stages = stages
            self.tick = tick
        }
    }

    /// What it works with.
    package struct Surroundings: Sendable {
        /// The pipeline's clock.
        package var now: @Sendable () -> Timestamp
        /// Returns when that clock shows a time.
        package var sleep: @Sendable (Timestamp) async throws -> Void
        /// Waits in real time, also where the pipeline's clock is scaled.
        package var pause: @Sendable (Duration) async throws -> Void
        /// Makes what delivers to a destination of a channel.
        package var open: @Sendable (String, WireChannelSet) async throws(DeliveryRefusal) -> any NoticeDelivering
        /// How a stage is; nil if it does not answer.
        package var sample: @Sendable (String) async -> SilenceWatch.StageSample?
        package var logger: Logger
        /// Told when it has begun, and whenever something has changed.
        package var onProgress: @Sendable (Progress) -> Void

        package init(
            now: @escaping @Sendable () -> Timestamp, sleep: @escaping @Sendable (Timestamp) async throws -> Void,
            pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
            open: @escaping @Sendable (String, WireChannelSet) async throws(DeliveryRefusal) -> any NoticeDelivering,
            sample: @escaping @Sendable (String) async -> SilenceWatch.StageSample? = { _ in nil }, logger: Logger,
            onProgress: @escaping @Sendable (Progress) -> Void = { _ in }
        ) {
            self.now = now
            self.sleep = sleep
            self.pause = pause
            self.open = open
            self.sample = sample
            self.logger = logger
            self.onProgress = onProgress
        }
    }

    /// How far it is.
    package struct Progress: Sendable {
        /// Everything up to here is in the outboxes.
        package var handled: Position
        /// The log's head as far as known.
        package var head: Position
        /// nil: as they were.
        package var outboxes: [Outbox]?
        /// Attempts since the program started.
        package var delivered: [String: Int]
        package var failed: [String: Int]
    }
}

/// Why there is nobody who could deliver.
package struct DeliveryRefusal: Error, Hashable, Sendable {
    package let failure: DeliveryFailure

    package init(_ failure: DeliveryFailure) { self.failure = failure }
}
