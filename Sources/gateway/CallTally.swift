import FinOps
import Runtime
import Synchronization

/// Counts for the metrics: written for every call, so nothing but additions.
final class CallTally: Sendable {
    private let running = Atomic<Int>(0)
    private let begun = Atomic<Int>(0)
    private let whole = Atomic<Int>(0)
    private let broken = Atomic<Int>(0)
    private let unpriced = Atomic<Int>(0)
    private let estimated = Atomic<Int>(0)
    private let turnedAway = Atomic<Int>(0)

    func admitted() {
        running.add(1, ordering: .relaxed)
        begun.add(1, ordering: .relaxed)
    }

    func refused() { turnedAway.add(1, ordering: .relaxed) }

    func ended(_ call: WireCallRecorded) {
        running.subtract(1, ordering: .relaxed)
        count(call)
    }

    /// Of an earlier run, which counted its beginning and not its end.
    func recordedLate(_ call: WireCallRecorded) { count(call) }

    private func count(_ call: WireCallRecorded) {
        if call.ended == "complete" { whole.add(1, ordering: .relaxed) } else { broken.add(1, ordering: .relaxed) }
        if !call.unpricedReason.isEmpty { unpriced.add(1, ordering: .relaxed) }
        if !call.usageEstimated.isEmpty { estimated.add(1, ordering: .relaxed) }
    }

    static func declare(in metrics: MetricsRegistry) {
        metrics.declare("finops_gateway_calls_running", .gauge, help: "Calls under way.")
        metrics.declare("finops_gateway_calls_total", .counter, help: "Calls that were let through.")
        metrics.declare("finops_gateway_calls_ended_total", .counter, help: "Attempts that ended, whole or not.")
        metrics.declare("finops_gateway_refusals_total", .counter, help: "Requests that were answered here.")
        metrics.declare("finops_gateway_unpriced_total", .counter, help: "Attempts without a price.")
        metrics.declare("finops_gateway_estimated_total", .counter, help: "Attempts whose use was counted here.")
    }

    func show(in metrics: MetricsRegistry) {
        func set(_ name: String, _ value: borrowing Atomic<Int>, _ labels: KeyValuePairs<String, String> = [:]) {
            metrics.set(name, Double(value.load(ordering: .relaxed)), labels: labels)
        }
        set("finops_gateway_calls_running", running)
        set("finops_gateway_calls_total", begun)
        set("finops_gateway_calls_ended_total", whole, ["end": "complete"])
        set("finops_gateway_calls_ended_total", broken, ["end": "broken"])
        set("finops_gateway_refusals_total", turnedAway)
        set("finops_gateway_unpriced_total", unpriced)
        set("finops_gateway_estimated_total", estimated)
    }
}
