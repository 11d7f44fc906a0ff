package import EventLog
import Glibc
package import JSON
import Synchronization

/// How a stage is doing: ready or not and why, how far each of its consumers is, what it has put aside.
package final class StageHealth: Sendable {
    /// How far one consumer of the log is.
    package struct Consumer: Hashable, Sendable {
        /// Everything up to here is handled, durably.
        package var handled: Position
        /// The log's, as far as the consumer knows.
        package var head: Position
        /// Recorded time of the last event it handled.
        package var handledRecorded: Timestamp?
        /// Events put aside after repeated failures, and the time of the oldest of them.
        package var parked = 0
        /// nil while none is put aside.
        package var oldestParked: Timestamp?

        /// Events in the log that it has not handled yet.
        package var lag: UInt64 { head > handled ? head.value - handled.value : 0 }

        package init(handled: Position, head: Position) {
            self.handled = handled
            self.head = head
        }
    }

    private struct State {
        var isReady = false
        var reason = "starting"
        var listen: String?
        var consumers: [String: Consumer] = [:]
        var lastSeen: [String: Timestamp] = [:]
    }

    package let stage: String
    /// Its own figures besides: a stage declares them here.
    package let metrics = MetricsRegistry()
    private let clock: PipelineClock
    private let started = wallTime()
    private let state = Mutex(State())
    private let whenReady: @Sendable (Bool) -> Void

    /// - Parameter whenReady: told about every change between ready and not ready.
    package init(stage: String, clock: PipelineClock, whenReady: @escaping @Sendable (Bool) -> Void = { _ in }) {
        self.stage = stage
        self.clock = clock
        self.whenReady = whenReady
        metrics.declare("finops_ready", .gauge, help: "1 when the stage does its work.")
        metrics.declare("finops_start_time_seconds", .gauge, help: "When the program started, Unix time.")
        metrics.declare("finops_consumer_position", .gauge, help: "Last position handled.")
        metrics.declare("finops_consumer_lag_events", .gauge, help: "Events in the log that are not handled yet.")
        metrics.declare("finops_consumer_lag_seconds", .gauge, help: "Age of what waits to be handled.")
        metrics.declare("finops_parked_events", .gauge, help: "Events put aside after repeated failures.")
        metrics.declare("finops_parked_oldest_seconds", .gauge, help: "Age of the oldest event put aside.")
    }

    /// The stage does its work from now on.
    package func ready() { change(isReady: true, reason: "ok") }

    /// The stage cannot do its work, for a reason that a person understands.
    package func notReady(_ reason: String) { change(isReady: false, reason: reason) }

    /// The stage takes requests at this URL.
    package func listening(at url: String) { state.withLock { $0.listen = url } }

    /// False until the stage first says so.
    package var isReady: Bool { state.withLock { $0.isReady } }

    private func change(isReady: Bool, reason: String) {
        let changed = state.withLock { state in
            defer { (state.isReady, state.reason) = (isReady, reason) }
            return state.isReady != isReady
        }
        if changed { whenReady(isReady) }
    }

    /// A consumer has handled everything up to a position.
    package func consumed(_ consumer: String, through handled: Position, head: Position, recorded: Timestamp? = nil) {
        let now = clock.now()
        state.withLock { state in
            var entry = state.consumers[consumer] ?? Consumer(handled: handled, head: head)
            (entry.handled, entry.head) = (handled, max(head, handled))
            entry.handledRecorded = recorded ?? entry.handledRecorded
            state.consumers[consumer] = entry
            // What waits is at most as old as the moment when nothing waited.
            if entry.lag == 0 || state.lastSeen[consumer] == nil { state.lastSeen[consumer] = now }
        }
    }

    /// A consumer has put events aside; 0 when they have been settled.
    package func parked(_ consumer: String, count: Int, oldest: Timestamp?) {
        state.withLock { state in
            var entry = state.consumers[consumer] ?? Consumer(handled: .start, head: .start)
            (entry.parked, entry.oldestParked) = (count, oldest)
            state.consumers[consumer] = entry
        }
    }

    /// `/readyz?verbose`.
    package var document: JSONValue {
        let now = clock.now()
        return state.withLock { state in
            let consumers = state.consumers.sorted { $0.key < $1.key }.map { name, consumer in
                JSONValue.object([
                    .init("name", .string(name)), .init("position", .integer(consumer.handled.value)),
                    .init("head", .integer(consumer.head.value)), .init("lag_events", .integer(consumer.lag)),
                    .init("lag_seconds", .integer(lagSeconds(name, consumer, state, now))),
                    .init("last_event", JSONValue(consumer.handledRecorded.map(\.rfc3339))),
                    .init("parked_events", .integer(consumer.parked)),
                    .init("oldest_parked", JSONValue(consumer.oldestParked.map(\.rfc3339))),
                ])
            }
            var members: [JSONValue.Member] = [
                .init("stage", .string(stage)), .init("pid", .integer(getpid())), .init("ready", .bool(state.isReady)),
                .init("reason", .string(state.reason)), .init("started", .string(started.rfc3339)),
                .init("consumers", .array(consumers)),
            ]
            if let listen = state.listen { members.append(.init("listen", .string(listen))) }
            return .object(members)
        }
    }

    /// `/metrics`.
    package var exposition: String {
        let now = clock.now()
        state.withLock { state in
            metrics.set("finops_ready", state.isReady ? 1 : 0, labels: ["stage": stage])
            metrics.set(
                "finops_start_time_seconds", Double(started.microseconds) / 1_000_000, labels: ["stage": stage])
            for (name, consumer) in state.consumers {
                let labels: KeyValuePairs = ["stage": stage, "consumer": name]
                metrics.set("finops_consumer_position", Double(consumer.handled.value), labels: labels)
                metrics.set("finops_consumer_lag_events", Double(consumer.lag), labels: labels)
                metrics.set(
                    "finops_consumer_lag_seconds", Double(lagSeconds(name, consumer, state, now)), labels: labels)
                metrics.set("finops_parked_events", Double(consumer.parked), labels: labels)
                let oldest = consumer.oldestParked.map { max(0, now.seconds - $0.seconds) } ?? 0
                metrics.set("finops_parked_oldest_seconds", Double(oldest), labels: labels)
            }
        }
        return metrics.exposition
    }

    private func lagSeconds(_ name: String, _ consumer: Consumer, _ state: State, _ now: Timestamp) -> Int64 {
        guard consumer.lag > 0, let since = state.lastSeen[name] else { return 0 }
        return max(0, now.seconds - since.seconds)
    }
}
