package import EventLog
import SwiftProtobuf

extension Outbox {
    /// What follows from what is known.
    package enum Step: Hashable, Sendable {
        case send(DeliveryPlan)
        /// These need not be told any more.
        case drop(WireNotificationDropped)
        /// This message becomes a dead letter.
        case abandon(WireNotificationAbandoned)
        /// Nothing until then, or until something happens; nil: until something happens.
        case wait(until: Timestamp?)
    }

    /// One message is about no more, those that are only counted included; the next one tells the rest. What it has no line
    /// for it counts, so that a thousand crossings at once are two messages where the first of them had left already.
    private static let mostItems = 2_000
    /// Of the pace, after messages about many things.
    private static let mostDoublings = 3

    /// Decides. Asked only while no attempt is under way: one without an outcome is taken for uncertain.
    package func next(at now: Timestamp) -> Step {
        guard target != nil else { return dropEverything() }
        if let step = dropNeedless() { return step }
        if let message = current ?? revived.first { return goOn(with: message, at: now) }
        return tellNew(at: now)
    }

    private func dropEverything() -> Step {
        let items = (current ?? revived.first)?.items ?? Array(waiting.prefix(Self.mostItems))
        guard !items.isEmpty else { return .wait(until: nil) }
        let reason = channel == nil ? "the channel was removed" : "the channel has no such recipients any more"
        return drop(items.map(\.id), reason)
    }

    /// What somebody looks after, and crossings that were taken back before they were told.
    private func dropNeedless() -> Step? {
        let acknowledged = waiting.lazy.filter(\.isAcknowledged).prefix(Self.mostItems).map(\.id)
        if !acknowledged.isEmpty { return drop(Array(acknowledged), "acknowledged") }
        var crossings: [String: String] = [:]
        var takenBack: [String] = []
        for item in waiting {
            switch item.kind {
            case .crossed: crossings[item.correlation] = item.id
            case .cleared:
                if let crossing = crossings.removeValue(forKey: item.correlation) { takenBack += [crossing, item.id] }
            default: break
            }
            if takenBack.count >= Self.mostItems { break }
        }
        return takenBack.isEmpty ? nil : drop(takenBack, "cleared before it was sent")
    }

    private func drop(_ items: [String], _ reason: String) -> Step {
        .drop(
            .with {
                $0.destination = destination
                $0.items = items
                $0.reason = reason
            })
    }

    // MARK: A message under way

    private func goOn(with message: Message, at now: Timestamp) -> Step {
        guard case .failed(let failure, let failed) = message.phase else { return send(message, at: now) }
        if message.items.allSatisfy({ $0.kind == .test }) {
            return drop(message.items.map(\.id), "a test is not repeated")
        }
        let first = message.firstAttempt ?? failed
        if !failure.retriable || failed.seconds - first.seconds >= settings.giveUpAfterSeconds {
            return .abandon(letter(message, failure))
        }
        let retry = Timestamp(microseconds: Self.microseconds(ofMilliseconds: failure.retryAt))
        // A clock that was set back must not make it wait any longer.
        let isDue = now >= retry || now < failed
        let isHurried = message.isHurried && failure.code != DeliveryFailure.throttled
        return isDue || isHurried ? send(message, at: now) : .wait(until: retry)
    }

    /// As far as they reach: a channel's word on when to come back is not checked by anybody.
    private static func microseconds(ofMilliseconds milliseconds: Int64) -> Int64 {
        let (microseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
        return overflow ? (milliseconds < 0 ? .min : .max) : microseconds
    }

    private func letter(_ message: Message, _ failure: WireNotificationFailed) -> WireNotificationAbandoned {
        .with {
            $0.destination = destination
            $0.notification = message.id
            $0.items = message.items.map(\.id)
            $0.attempts = message.attempts
            let why = failure.retriable ? "it failed for too long" : "it cannot succeed"
            $0.reason = "\(why): \(failure.message) (\(failure.code))"
        }
    }

    private func send(_ message: Message, at now: Timestamp) -> Step {
        paced(at: now)
            ?? .send(
                DeliveryPlan(
                    destination: destination, notification: message.id, items: message.items,
                    heldBack: message.heldBack, attempt: message.attempts + 1,
                    isUncertain: message.isUncertain || message.phase == .started))
    }

    /// Until when the last message keeps the next one waiting.
    /// - Parameter pauses: of how many times the pace.
    private func paced(at now: Timestamp, pauses: Int64 = 1) -> Step? {
        guard let lastAttempt, lastAttempt <= now else { return nil }
        let free = Timestamp(microseconds: lastAttempt.microseconds + pauses * settings.paceMicroseconds)
        return now < free ? .wait(until: free) : nil
    }

    // MARK: A new message

    private func tellNew(at now: Timestamp) -> Step {
        let rules = HoldRules(self, at: now)
        var earliest: Timestamp?
        var chosen = Chosen()
        var held: [OutboxItem] = []
        for item in waiting {
            if let until = rules.holds(item) {
                earliest = min(earliest ?? until, until)
                held.append(item)
            } else {
                chosen.add(item)
            }
            if chosen.count >= Self.mostItems { break }
        }
        guard let first = chosen.told.first else { return .wait(until: earliest) }
        chosen.count(held, upTo: Self.mostItems)
        // Where many things come one by one, ever more of them are gathered; after a quiet while the first leaves at once.
        return paced(at: now, pauses: 1 << Int64(min(crowds, Self.mostDoublings)))
            ?? .send(
                DeliveryPlan(
                    destination: destination,
                    notification: DeliveryPlan.name(
                        destination: destination, firstItem: first.id, number: messages + 1),
                    items: chosen.told + chosen.counted, heldBack: chosen.counted.count, attempt: 1,
                    isUncertain: false))
    }
}

/// Why an item waits, at one moment.
private struct HoldRules {
    private let now: Timestamp
    private let lastTold: [String: [UInt32: Timestamp]]
    private let snoozes: [String: Timestamp]
    private let quietEnd: Timestamp?
    private let digests: (last: Timestamp, next: Timestamp)?

    init(_ outbox: Outbox, at now: Timestamp) {
        self.now = now
        lastTold = outbox.lastTold
        snoozes = outbox.snoozes
        quietEnd = outbox.schedule?.quietEnd(at: now)
        digests = outbox.schedule?.digests(around: now)
    }

    /// - Returns: until when at least; nil for one that is due.
    func holds(_ item: OutboxItem) -> Timestamp? {
        guard item.kind != .test else { return nil }
        var until: Timestamp?
        func wait(_ moment: Timestamp) { until = max(until ?? moment, moment) }
        // Where the clock was set back, what lies in the future holds nothing.
        if item.isThrottled, let told = lastTold[item.subject] {
            // A warning does not keep back that the limit is reached.
            for (level, told) in told where level >= item.level && told <= now {
                let free = told.advanced(bySeconds: Outbox.throttleSeconds)
                if now < free { wait(free) }
            }
        }
        if item.kind == .crossed || item.kind == .cleared, let end = snoozes[item.subject], now < end { wait(end) }
        guard !item.isUrgent else { return until }
        if let quietEnd { wait(quietEnd) }
        if let digests, item.queued > digests.last { wait(digests.next) }
        return until
    }
}

/// What a new message is made of.
private struct Chosen {
    private(set) var told: [OutboxItem] = []
    private(set) var counted: [OutboxItem] = []
    private var placeOfTopic: [String: Int] = [:]

    var count: Int { told.count + counted.count }

    mutating func add(_ item: OutboxItem) {
        if let topic = item.topic, let place = placeOfTopic[topic] {
            counted.append(told[place])
            told[place] = item
            return
        }
        if let topic = item.topic { placeOfTopic[topic] = told.count }
        told.append(item)
    }

    /// Lower levels of windows that are told are news no more: they are counted, whatever keeps them back.
    mutating func count(_ held: [OutboxItem], upTo limit: Int) {
        for item in held where count < limit {
            guard let place = item.topic.flatMap({ placeOfTopic[$0] }), item.level < told[place].level else { continue }
            counted.append(item)
        }
    }
}
