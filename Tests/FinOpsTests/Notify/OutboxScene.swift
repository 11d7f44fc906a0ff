import EventLog
import FinOps
import SwiftProtobuf
import Testing

/// An outbox to which things happen at chosen minutes after 2026-11-20T00:00 in Seoul.
struct OutboxScene {
    /// 2026-11-20T00:00+09:00.
    static let midnight: Int64 = 1_795_100_400

    var outbox: Outbox
    private var position: UInt64 = 0

    init(_ destination: String = "slack", settings: Outbox.Settings = .init(paceMicroseconds: 0)) {
        outbox = Outbox(destination: destination, settings: settings)
        set(["slack", "mail-ko", "sentry"])
    }

    static func at(_ minutes: Double) -> Timestamp {
        Timestamp(microseconds: midnight * 1_000_000 + Int64((minutes * 60_000_000).rounded()))
    }

    // MARK: What people say

    mutating func set(_ destinations: [String], at minutes: Double = 0) {
        apply(
            .channelSet(
                .with {
                    $0.channel = String(outbox.destination.prefix { $0 != "-" })
                    $0.destinations = destinations
                }), at: minutes)
    }

    mutating func remove(at minutes: Double) {
        apply(.channelRemoved(.with { $0.channel = String(outbox.destination.prefix { $0 != "-" }) }), at: minutes)
    }

    mutating func schedule(
        quiet: (UInt32, UInt32)? = nil, digest: UInt32? = nil, canary: Bool = false, at minutes: Double = 0
    ) {
        apply(
            .channelScheduleSet(
                .with {
                    $0.channel = String(outbox.destination.prefix { $0 != "-" })
                    if let quiet { ($0.quietFrom, $0.quietTo) = quiet }
                    if let digest { $0.digestAt = digest }
                    $0.canary = canary
                    $0.zone = "Asia/Seoul"
                }), at: minutes)
    }

    mutating func snooze(_ project: String, until: Double, at minutes: Double) {
        apply(
            .alertSnoozed(
                .with {
                    ($0.scope, $0.name) = ("project", project)
                    $0.until = Self.at(until).seconds
                }), at: minutes)
    }

    mutating func acknowledge(_ project: String, at minutes: Double) {
        apply(
            .alertAcknowledged(
                .with {
                    ($0.scope, $0.name, $0.window, $0.firstDay) = ("project", project, "day", "2026-11-20")
                }), at: minutes)
    }

    private mutating func apply(_ event: FinOpsEvent, at minutes: Double) {
        position += 1
        outbox.apply(event, position: Position(position), at: Self.at(minutes))
    }

    // MARK: What is to be told

    /// - Returns: the name of the item.
    @discardableResult
    mutating func crossed(_ project: String, _ level: UInt32 = 80, at minutes: Double) -> String {
        queue(
            .thresholdCrossed(
                .with {
                    ($0.scope, $0.name, $0.window) = ("project", project, "day")
                    ($0.firstDay, $0.level) = ("2026-11-20", level)
                }), at: minutes)
    }

    @discardableResult
    mutating func cleared(_ project: String, _ level: UInt32 = 80, at minutes: Double) -> String {
        queue(
            .thresholdCleared(
                .with {
                    ($0.scope, $0.name, $0.window) = ("project", project, "day")
                    ($0.firstDay, $0.level) = ("2026-11-20", level)
                }), at: minutes)
    }

    @discardableResult
    mutating func collectionFailed(_ account: String = "acme", at minutes: Double) -> String {
        queue(.runFailed(.with { ($0.provider, $0.account, $0.code) = ("openai", account, "throttled") }), at: minutes)
    }

    @discardableResult
    mutating func tested(at minutes: Double) -> String {
        position += 1
        let item = Queueing.test(outbox.destination, id: EventID(high: 7, low: position))
        outbox.evolve(.notificationQueued(item), at: Self.at(minutes))
        return item.item
    }

    private mutating func queue(_ event: FinOpsEvent, at minutes: Double) -> String {
        position += 1
        let items = Queueing.items(
            for: event, position: Position(position), version: StreamVersion(1), destinations: [outbox.destination])
        for item in items { outbox.evolve(.notificationQueued(item), at: Self.at(minutes)) }
        return items.first?.item ?? ""
    }

    // MARK: What the sender does

    func next(at minutes: Double) -> Outbox.Step { outbox.next(at: Self.at(minutes)) }

    /// The attempt that is due; it has begun.
    mutating func start(at minutes: Double, location: SourceLocation = #_sourceLocation) throws -> DeliveryPlan {
        let step = next(at: minutes)
        guard case .send(let plan) = step else {
            Issue.record("not due: \(step)", sourceLocation: location)
            throw NotDue()
        }
        outbox.evolve(plan.started, at: Self.at(minutes))
        return plan
    }

    /// What is told by the message that is due, which is delivered.
    @discardableResult
    mutating func deliver(at minutes: Double, location: SourceLocation = #_sourceLocation) throws -> [String] {
        let plan = try start(at: minutes, location: location)
        outbox.evolve(plan.delivered(answer: "ok", milliseconds: 1), at: Self.at(minutes))
        return plan.told.map(\.id)
    }

    @discardableResult
    mutating func fail(
        at minutes: Double, code: String = "unreachable", uncertain: Bool = false, retriable: Bool = true,
        retryAfter: Int64? = nil, location: SourceLocation = #_sourceLocation
    ) throws -> DeliveryPlan {
        let plan = try start(at: minutes, location: location)
        let failure = DeliveryFailure(
            code: code, message: "no", isUncertain: uncertain, isRetriable: retriable, retryAfterSeconds: retryAfter)
        outbox.evolve(plan.failed(failure, at: Self.at(minutes)), at: Self.at(minutes))
        return plan
    }

    /// Takes the step that drops or gives up.
    mutating func settle(at minutes: Double) {
        switch next(at: minutes) {
        case .drop(let event): outbox.evolve(.notificationDropped(event), at: Self.at(minutes))
        case .abandon(let event): outbox.evolve(.notificationAbandoned(event), at: Self.at(minutes))
        default: break
        }
    }

    mutating func retry(_ notification: String, at minutes: Double) {
        outbox.evolve(.notificationRetried(.with { $0.notification = notification }), at: Self.at(minutes))
    }
}

struct NotDue: Error {}

extension Outbox.Step {
    var dropped: [String]? { if case .drop(let event) = self { event.items } else { nil } }
    var plan: DeliveryPlan? { if case .send(let plan) = self { plan } else { nil } }
    /// Minutes after midnight.
    var waitsUntil: Double? {
        guard case .wait(let until) = self, let until else { return nil }
        return Double(until.microseconds - OutboxScene.midnight * 1_000_000) / 60_000_000
    }
    var isIdle: Bool { self == .wait(until: nil) }
}
