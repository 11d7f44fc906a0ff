import Dispatch
import EventLog
import FinOps
import JSON
import Logging
import Runtime
import Stages

extension Notifier {
    private static let conditions = [
        "threshold-watcher": SilenceWatch.Condition.evaluationStalled,
        "projector": SilenceWatch.Condition.projectionLagging,
    ]

    /// The stages of a pipeline whose standstill is told.
    static func watchedStages(pipeline: String) throws -> [String: String] {
        let names = Set(try Topology.load(pipeline).processes.map(\.name))
        return conditions.filter { names.contains($0.key) }
    }
}

extension Notifier.Settings {
    /// Days and hours are the pipeline's; how fast programs work and how often others may be asked is not: on a clock that
    /// runs faster, the same real time is more of its time.
    init(_ configuration: Configuration, _ clock: PipelineClock, stages: [String: String]) {
        let stalledSeconds = Int64(Double(configuration.stalledAfterSeconds) * clock.rate)
        // On the clock of a pipeline that was stopped a second never passes.
        let isStopped = clock.scale?.frozen != nil
        self.init(
            outbox: Outbox.Settings(
                giveUpAfterSeconds: configuration.alertGiveUpAfterSeconds,
                paceMicroseconds: isStopped ? 0 : Int64(1_000_000 * clock.rate)),
            silence: SilenceWatch.Settings(
                silentAfterSeconds: max(configuration.silentAfterSeconds, stalledSeconds),
                stalledAfterSeconds: stalledSeconds),
            stages: stages,
            tick: .seconds(min(Self.longestTick, Double(configuration.stalledAfterSeconds) / 4)))
    }

    private static let longestTick = 5.0
}

extension Notifier.Surroundings {
    /// Those of a state directory.
    init(
        _ directory: StateDirectory, _ configuration: Configuration, _ clock: PipelineClock, logger: Logger,
        store: any EventStore
    ) {
        let opener = ChannelOpener(directory, configuration, clock)
        self.init(
            now: { clock.now() },
            sleep: { try await clock.sleep(until: $0) },
            open: { destination, channel throws(DeliveryRefusal) in
                try await opener.deliverer(destination, channel, log: store)
            },
            sample: { stage in await sampled(stage, directory) },
            logger: logger)
    }
}

/// Asks a stage how it is; on a thread that may wait.
private func sampled(_ stage: String, _ directory: StateDirectory) async -> SilenceWatch.StageSample? {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: ask(stage, directory)) }
    }
}

private func ask(_ stage: String, _ directory: StateDirectory) -> SilenceWatch.StageSample? {
    // Without a socket there is nobody to ask.
    guard let socket = try? directory.healthSocket(stage: stage),
        let consumers = HealthClient.readiness(socket: socket)?["consumers"]?.array, !consumers.isEmpty
    else { return nil }
    let handled = consumers.compactMap { $0["position"]?.integer }.min() ?? 0
    let lag = consumers.compactMap { $0["lag_events"]?.integer }.max() ?? 0
    return SilenceWatch.StageSample(handled: Position(UInt64(clamping: handled)), lagEvents: UInt64(clamping: lag))
}
