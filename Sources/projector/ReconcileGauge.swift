import EventLog
import FinOps
import Logging
import Messaging
import Projections
import Runtime
import ServiceLifecycle
import Stages
import Storage

/// Keeps as a metric how much of the costs of the last days nothing explains, and raises a condition about each provider's
/// day of which more than a share is unexplained (`reconcile_alert_above`): somebody then looks at `reporter reconcile`.
struct ReconcileGauge: Service {
    let context: StageContext

    private static let name = "finops_reconcile_unexplained_ratio"
    /// Whole UTC days before today.
    private static let days = 7
    /// Usage comes 8 to 24 hours late: a day is judged when it has been over for so long.
    private static let settledAfterSeconds: Int64 = 86_400
    private static let pause = Duration.seconds(600)
    /// While there is nothing to read yet.
    private static let retryPause = Duration.seconds(1)

    func run() async throws {
        context.health.metrics.declare(
            Self.name, .gauge, help: "Part of the costs of the last 7 UTC days that no cause explains, 0 to 1.")
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let pause = await measure() ? Self.pause : Self.retryPause
                // Cancelled while asleep: the loop ends.
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// - Returns: whether there was something to read.
    private func measure() async -> Bool {
        do {
            let today = Day(utc: context.clock.now())
            let reader = try ProjectionReader(path: context.directory.projectionFiles.current)
            let found = try reader.reconciliation(
                from: today.advanced(by: -Self.days), through: today.advanced(by: -1),
                try await PriceCatalogue.read(from: context.directory.logReader))
            // A display figure, and no sum of money any more.
            let ratio = found.whole == 0 ? 0 : Double(found.unexplained) / Double(found.whole)
            context.health.metrics.set(Self.name, ratio, labels: ["stage": "projector"])
            await tell(found)
            return true
        } catch {
            context.logger.debug("not reconciled", metadata: ["error": "\(error)"])
            return false
        }
    }
    private func tell(_ found: Reconciliation) async {
        let now = context.clock.now()
        let settled = found.findings.filter { finding in
            finding.day.advanced(by: 1).utcStart.advanced(bySeconds: Self.settledAfterSeconds) <= now
        }
        let store = RemoteEventStore(context.link.options, reader: context.directory.logReader)
        defer { store.close() }
        let conditions = UnexplainedConditions(
            store: store, above: context.configuration.reconcileAlertAbovePercentNanos)
        do {
            let changes = try await conditions.tell(settled, at: now)
            if changes > 0 { context.logger.notice("costs unexplained", metadata: ["changes": "\(changes)"]) }
        } catch {
            // It is found again at the next measurement.
            context.logger.warning("conditions not told", metadata: ["error": "\(error)"])
        }
    }
}
