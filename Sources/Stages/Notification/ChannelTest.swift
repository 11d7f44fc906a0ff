package import EventLog
package import FinOps

/// A test message for every destination of a channel, and what became of it: read from the log, whoever delivers it.
package struct ChannelTest: Sendable {
    /// What the other side said.
    package struct Verdict: Hashable, Sendable {
        package var destination: String
        package var isAccepted: Bool
        /// Of the failure; empty when it was accepted.
        package var code: String
        /// The other side's words.
        package var message: String
        package var isRetriable: Bool
        package var milliseconds: Int64
    }

    private struct Item: Sendable {
        let name: String
        /// Of the outbox before it.
        let version: StreamVersion
    }

    private let items: [String: Item]

    /// - Returns: the channel as it is set; nil if it is not.
    package static func channel(_ name: String, in reader: any EventReader) async throws -> WireChannelSet? {
        var channel: WireChannelSet?
        for recorded in try await reader.readAll(stream: .channel(name)) {
            switch try EventCatalogue.decode(recorded.event) {
            case .channelSet(let event): channel = event
            case .channelRemoved: channel = nil
            default: break
            }
        }
        return channel
    }

    /// Puts the messages into the outboxes.
    package static func queue(
        _ channel: WireChannelSet, in store: any EventStore, reader: any EventReader, now: @Sendable () -> Timestamp
    ) async throws -> ChannelTest {
        var random = SystemRandomNumberGenerator()
        var items: [String: Item] = [:]
        var appends: [StreamAppend] = []
        for destination in channel.destinations {
            let id = EventID.v7(at: now(), using: &random)
            let queued = Queueing.test(destination, id: id)
            let stream = StreamName.outbox(destination)
            let known = try await reader.allStreams(prefix: stream.text).first { $0.stream == stream }
            items[destination] = Item(name: queued.item, version: known?.version ?? .none)
            appends.append(
                StreamAppend(stream, [FinOpsEvent.notificationQueued(queued).newEvent(id: id, occurred: now())]))
        }
        let producer = EventID.v7(at: now(), using: &random)
        let session = try await store.openSession(ProducerName("\(Notifier.stage)-test-\(producer)"))
        try await store.append(AppendRequest(session: session, sequence: 1, appends))
        return ChannelTest(items: items)
    }

    /// Waits until each is answered, while somebody delivers.
    /// - Parameters:
    ///   - limit: in real time; what is not answered by then is a failure that may pass.
    ///   - notifier: delivers meanwhile; nil where one runs already.
    package func verdicts(
        in reader: any EventReader, within limit: Duration, deliveredBy notifier: Notifier? = nil
    ) async throws -> [Verdict] {
        let destinations = items.keys.sorted()
        return try await withThrowingTaskGroup(of: [Verdict]?.self) { group in
            if let notifier {
                group.addTask {
                    try await notifier.deliver(only: destinations)
                    return nil
                }
            }
            group.addTask { try await self.wait(reader, limit) }
            defer { group.cancelAll() }
            while let verdicts = try await group.next() { if let verdicts { return verdicts } }
            return []
        }
    }

    private func wait(_ reader: any EventReader, _ limit: Duration) async throws -> [Verdict] {
        let end = ContinuousClock.now + limit
        var answered: [String: Verdict] = [:]
        while answered.count < items.count, ContinuousClock.now < end {
            for (destination, item) in items where answered[destination] == nil {
                answered[destination] = try await verdict(destination, item, reader)
            }
            if answered.count < items.count { try await Task.sleep(for: .milliseconds(20)) }
        }
        return items.keys.sorted().map { destination in
            answered[destination]
                ?? Verdict(
                    destination: destination, isAccepted: false, code: "unanswered",
                    message: "it still waits: `reporter notifications` shows what for", isRetriable: true,
                    milliseconds: 0)
        }
    }

    /// - Returns: nil while it is open.
    private func verdict(_ destination: String, _ item: Item, _ reader: any EventReader) async throws -> Verdict? {
        var notification: String?
        for recorded in try await reader.read(
            stream: .outbox(destination), after: item.version, limit: EventLimits.readEvents)
        {
            switch try EventCatalogue.decode(recorded.event) {
            case .notificationStarted(let event) where event.items.contains(item.name):
                notification = event.notification
            case .notificationDelivered(let event) where event.notification == notification:
                return Verdict(
                    destination: destination, isAccepted: true, code: "", message: event.answer, isRetriable: false,
                    milliseconds: event.milliseconds)
            case .notificationFailed(let event):
                // An earlier one that does not get through stands before it, and fails for the same reason.
                let words = event.notification == notification ? "" : "an earlier message waits before it: "
                return Verdict(
                    destination: destination, isAccepted: false, code: event.code, message: words + event.message,
                    isRetriable: event.retriable, milliseconds: 0)
            case .notificationDropped(let event) where event.items.contains(item.name):
                return Verdict(
                    destination: destination, isAccepted: false, code: "dropped", message: event.reason,
                    isRetriable: false, milliseconds: 0)
            default: break
            }
        }
        return nil
    }
}
