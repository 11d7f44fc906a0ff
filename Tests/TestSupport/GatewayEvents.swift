package import EventLog
package import FinOps
import FoundationEssentials
import SwiftProtobuf

/// The events that a gateway reads, short to write.
package enum Gatewayed {
    package static func issued(
        _ id: String, project: String = "chat", prefix: String = "fo-aaaa", hash: UInt8 = 1, models: [String] = [],
        routes: [String] = [], expires: Int64? = nil
    ) -> FinOpsEvent {
        .keyIssued(
            .with {
                $0.key = id
                $0.project = project
                $0.prefix = prefix
                $0.hash = Data(repeating: hash, count: 32)
                $0.models = models
                $0.routes = routes
                if let expires { $0.expires = expires }
            })
    }

    package static func rotated(_ id: String, prefix: String, hash: UInt8, oldValidUntil: Int64) -> FinOpsEvent {
        .keyRotated(
            .with {
                $0.key = id
                $0.prefix = prefix
                $0.hash = Data(repeating: hash, count: 32)
                $0.oldValidUntil = oldValidUntil
            })
    }

    package static func disabled(_ id: String, cause: String = "person", reason: String = "runaway") -> FinOpsEvent {
        .keyDisabled(
            .with {
                $0.key = id
                $0.cause = cause
                $0.reason = reason
            })
    }

    package static func requested(_ id: String) -> FinOpsEvent {
        .keyReactivationRequested(
            .with {
                $0.key = id
                $0.reason = "mended"
            })
    }

    package static func reactivated(_ id: String) -> FinOpsEvent {
        .keyReactivated(
            .with {
                $0.key = id
                $0.reason = "seen"
            })
    }

    package static func added(_ project: String, team: String) -> FinOpsEvent {
        .projectAdded(
            .with {
                $0.project = project
                $0.team = team
            })
    }

    /// A call that ended, with its cost in nano-dollars; nil for one without a price.
    package static func call(
        _ id: String, by gateway: String, project: String = "chat", started: Timestamp, nanos: Int64?, tokens: Int64 = 0
    ) -> WireCallRecorded {
        .with {
            $0.call = id
            $0.attempt = 1
            $0.gateway = gateway
            $0.project = project
            $0.account = "acme"
            $0.started = started.microseconds
            $0.quantities.inputTokens = tokens
            if let nanos {
                $0.cost.nanos = nanos
                $0.cost.currency = "USD"
            } else {
                $0.unpricedReason = "no price"
            }
        }
    }
}

/// A log of a test: it gives positions and versions, and refuses a version that is not the stream's.
package struct TestLog: Sendable {
    package private(set) var events: [(event: FinOpsEvent, recorded: RecordedEvent)] = []
    private var versions: [StreamName: StreamVersion] = [:]

    package init() {}

    /// - Returns: nil where another version was expected.
    @discardableResult
    package mutating func append(
        _ event: FinOpsEvent, to stream: StreamName, at now: Timestamp, expected: StreamVersion? = nil
    ) -> RecordedEvent? {
        let version = versions[stream] ?? .none
        guard expected == nil || expected == version else { return nil }
        versions[stream] = version.next
        let recorded = RecordedEvent(
            position: Position(UInt64(events.count) + 1), stream: stream, version: version.next, recorded: now,
            producer: "test", producerSequence: UInt64(events.count) + 1,
            event: event.newEvent(in: stream, occurred: now))
        events.append((event, recorded))
        return recorded
    }
}
