import EventLog
import FinOps
import Runtime
import Stages

/// The notifier's figures besides those of every stage.
struct NotifierMetrics: Sendable {
    private let health: StageHealth
    private let clock: PipelineClock

    init(_ health: StageHealth, _ clock: PipelineClock) {
        self.health = health
        self.clock = clock
        let metrics = health.metrics
        metrics.declare("finops_outbox_items", .gauge, help: "Items that are not delivered yet.")
        metrics.declare(
            "finops_outbox_oldest_seconds", .gauge, help: "Age of the oldest item that is not delivered yet.")
        metrics.declare("finops_outbox_dead_letters", .gauge, help: "Messages given up, waiting for an administrator.")
        metrics.declare("finops_notifications_delivered_total", .counter, help: "Messages that the other side took.")
        metrics.declare("finops_notifications_failed_total", .counter, help: "Attempts that did not succeed.")
    }

    func show(_ progress: Notifier.Progress) {
        health.consumed(Notifier.stage, through: progress.handled, head: progress.head)
        let now = clock.now()
        for outbox in progress.outboxes ?? [] {
            let labels: KeyValuePairs = ["destination": outbox.destination]
            let age = outbox.oldest.map { max(0, now.seconds - $0.seconds) } ?? 0
            health.metrics.set("finops_outbox_items", Double(outbox.depth), labels: labels)
            health.metrics.set("finops_outbox_oldest_seconds", Double(age), labels: labels)
            health.metrics.set("finops_outbox_dead_letters", Double(outbox.deadLetters), labels: labels)
            let counts = (progress.delivered[outbox.destination], progress.failed[outbox.destination])
            health.metrics.set("finops_notifications_delivered_total", Double(counts.0 ?? 0), labels: labels)
            health.metrics.set("finops_notifications_failed_total", Double(counts.1 ?? 0), labels: labels)
        }
    }
}
