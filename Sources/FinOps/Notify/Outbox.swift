package import EventLog
import SwiftProtobuf

/// What waits for one destination and what became of it: the fold of `outbox-<destination>`, and of what people said about
/// its channel and its alerts. What was delivered leaves it, so that it does not grow with time.
package struct Outbox: Sendable {
    /// How patient it is.
    package struct Settings: Sendable {
        /// A message that fails for longer becomes a dead letter.
        package var giveUpAfterSeconds: Int64
        /// Between two messages, by the pipeline's clock; after messages about many things, up to eight times as long.
        package var paceMicroseconds: Int64

        package init(giveUpAfterSeconds: Int64 = 86_400, paceMicroseconds: Int64 = 1_000_000) {
            self.giveUpAfterSeconds = giveUpAfterSeconds
            self.paceMicroseconds = paceMicroseconds
        }
    }

    /// A message that has begun to be delivered.
    struct Message: Hashable, Sendable {
        enum Phase: Hashable, Sendable {
            /// Nothing was heard of the attempt yet.
            case started
            case failed(WireNotificationFailed, at: Timestamp)
            /// An administrator wants it tried again.
            case revived
        }

        let id: String
        let items: [OutboxItem]
        let heldBack: Int
        var attempts: UInt32 = 0
        /// Of those since it was last revived.
        var firstAttempt: Timestamp?
        var isUncertain = false
        var phase = Phase.started
        /// A failed one is tried again at once: its channel was set anew, or somebody tests it.
        var isHurried = false
    }

    package let destination: String
    let settings: Settings

    /// What waits, as it was queued.
    package private(set) var waiting: [OutboxItem] = []
    /// The one message under way: nothing newer leaves before it is delivered or given up.
    private(set) var current: Message?
    private(set) var revived: [Message] = []
    private var abandoned: [String: Message] = [:]
    /// When a subject was told about, by the level of what was told, within the last hour.
    private(set) var lastTold: [String: [UInt32: Timestamp]] = [:]
    private(set) var lastAttempt: Timestamp?
    /// How many of the last messages, one after another, were about many things.
    private(set) var crowds = 0
    /// How many messages there have been.
    private(set) var messages: UInt64 = 0
    private var lastCanary = ""

    private(set) var channel: WireChannelSet?
    private(set) var schedule: DeliverySchedule?
    private(set) var snoozes: [String: Timestamp] = [:]

    static let throttleSeconds: Int64 = 3_600
    /// So many things in one message are many: what one cost brings about are fewer.
    static let crowd = 10

    package init(destination: String, settings: Settings = Settings()) {
        self.destination = destination
        self.settings = settings
    }

    /// Where it goes; nil where its channel does not exist, or no longer has this destination.
    package var target: WireChannelSet? { channel.flatMap { $0.destinations.contains(destination) ? $0 : nil } }

    /// How many items are not delivered yet; dead letters are not among them.
    package var depth: Int {
        waiting.count + (current?.items.count ?? 0) + revived.reduce(0) { $0 + $1.items.count }
    }

    /// When the oldest of them was queued.
    package var oldest: Timestamp? {
        (waiting.prefix(1) + (current?.items ?? []) + revived.flatMap(\.items)).map(\.queued).min()
    }

    /// Messages that were given up and that nobody has answered for yet.
    package var deadLetters: Int { abandoned.count }

    // MARK: Its own stream

    /// Takes in an event of its stream.
    /// - Parameter time: when it occurred.
    package mutating func evolve(_ event: FinOpsEvent, at time: Timestamp) {
        switch event {
        case .notificationQueued(let event): queue(event, at: time)
        case .notificationStarted(let event): start(event, at: time)
        case .notificationDelivered(let event): deliver(event, at: time)
        case .notificationFailed(let event): fail(event, at: time)
        case .notificationAbandoned(let event): abandon(event)
        case .notificationRetried(let event):
            guard var message = abandoned.removeValue(forKey: event.notification) else { return }
            message.phase = .revived
            message.firstAttempt = nil
            revived.append(message)
        case .notificationSkipped(let event): abandoned[event.notification] = nil
        case .notificationDropped(let event):
            let dropped = Set(event.items)
            waiting.removeAll { dropped.contains($0.id) }
            revived.removeAll { $0.items.allSatisfy { dropped.contains($0.id) } }
            if current?.items.allSatisfy({ dropped.contains($0.id) }) == true { current = nil }
        default: break
        }
    }

    private mutating func queue(_ event: WireNotificationQueued, at time: Timestamp) {
        guard let item = OutboxItem(event, at: time) else { return }
        waiting.append(item)
        if item.kind == .canary { lastCanary = max(lastCanary, item.id) }
        if item.kind == .test { current?.isHurried = true }
    }

    private mutating func start(_ event: WireNotificationStarted, at time: Timestamp) {
        if current?.id != event.notification {
            if let index = revived.firstIndex(where: { $0.id == event.notification }) {
                current = revived.remove(at: index)
            } else {
                let items = Dictionary(waiting.map { ($0.id, $0) }) { first, _ in first }
                let taken = event.items.compactMap { items[$0] }
                current = Message(id: event.notification, items: taken, heldBack: Int(event.heldBack))
                let ids = Set(event.items)
                waiting.removeAll { ids.contains($0.id) }
                messages += 1
                crowds = event.items.count < Self.crowd ? 0 : crowds + 1
            }
        }
        current?.attempts = event.attempt
        if current?.firstAttempt == nil { current?.firstAttempt = time }
        current?.isUncertain = event.uncertain
        current?.phase = .started
        current?.isHurried = false
        lastAttempt = time
        if event.uncertain { told(at: time) }
    }

    private mutating func deliver(_ event: WireNotificationDelivered, at time: Timestamp) {
        guard current?.id == event.notification else { return }
        lastAttempt = time
        told(at: time)
        current = nil
    }

    private mutating func fail(_ event: WireNotificationFailed, at time: Timestamp) {
        guard current?.id == event.notification else { return }
        lastAttempt = time
        current?.phase = .failed(event, at: time)
        guard event.uncertain else { return }
        current?.isUncertain = true
        told(at: time)
    }

    private mutating func abandon(_ event: WireNotificationAbandoned) {
        guard let message = current, message.id == event.notification else { return }
        abandoned[message.id] = message
        current = nil
    }

    /// What is under way has been told, or may have been.
    private mutating func told(at time: Timestamp) {
        let hourAgo = time.advanced(bySeconds: -Self.throttleSeconds)
        lastTold = lastTold.mapValues { $0.filter { $0.value > hourAgo } }.filter { !$0.value.isEmpty }
        for item in current?.items ?? [] where item.isThrottled {
            lastTold[item.subject, default: [:]][item.level] = time
        }
    }

    // MARK: What people say

    /// Takes in what was said about channels, snoozes and acknowledgements.
    /// - Parameter time: when it occurred.
    package mutating func apply(_ event: FinOpsEvent, position: Position, at time: Timestamp) {
        switch event {
        case .channelSet(let event) where event.channel == channelName:
            channel = event
            current?.isHurried = true
        case .channelRemoved(let event) where event.channel == channelName: (channel, schedule) = (nil, nil)
        case .channelScheduleSet(let event) where event.channel == channelName:
            schedule = DeliverySchedule(event, since: time)
        case .alertSnoozed(let event):
            let until = Timestamp(seconds: event.until)
            snoozes[WireNotificationQueued.subject(scope: event.scope, name: event.name)] = until > time ? until : nil
        case .alertAcknowledged(let event):
            let subject = WireNotificationQueued.subject(scope: event.scope, name: event.name)
            let windows = "\(subject)/\(event.window)/\(event.firstDay)/"
            for index in waiting.indices
            where waiting[index].correlation.hasPrefix(windows) && waiting[index].cause < position {
                waiting[index].isAcknowledged = true
            }
        default: break
        }
    }

    /// `mail-ko` is of the channel `mail`.
    private var channelName: Substring { destination.prefix { $0 != "-" } }

    /// The day's canary, where the channel has one that was not queued yet.
    package func canary(at now: Timestamp) -> WireNotificationQueued? {
        guard target != nil, destination != Queueing.errorTracker, let day = schedule?.canaryDay(at: now) else {
            return nil
        }
        let item = "canary-\(day)"
        guard lastCanary < item else { return nil }
        return .with {
            $0.destination = destination
            $0.item = item
            $0.kind = FactKind.canary.rawValue
            $0.subject = FactKind.canary.rawValue
        }
    }
}
