import EventLog
import FinOps

/// What the notifier knows of the log: all of it can be read again. A value, so that what a batch would change can be tried
/// and is kept only when the log has it.
struct NotifierMemory: Sendable {
    /// Something that counts until somebody says otherwise.
    private struct Statement: Sendable {
        let event: FinOpsEvent
        let position: Position
        let time: Timestamp
    }

    private(set) var outboxes: [String: Outbox] = [:]
    /// Of the streams that the notifier writes.
    private(set) var versions: [StreamName: StreamVersion] = [:]
    var silence: SilenceWatch
    private let settings: Outbox.Settings
    private var channels: [String: WireChannelSet] = [:]
    private var statements: [String: Statement] = [:]

    init(_ settings: Notifier.Settings) {
        self.settings = settings.outbox
        silence = SilenceWatch(settings: settings.silence, stages: settings.stages)
    }

    /// Where alerts go now.
    var destinations: [String] { Set(channels.values.flatMap(\.destinations)).sorted() }

    // MARK: What is read

    /// What people say about channels and alerts.
    static let statementTypes: Set<EventType> = [
        "channel.set", "channel.removed", "channel.schedule-set", "alert.snoozed", "alert.acknowledged",
    ]

    /// Takes in what somebody said.
    mutating func hear(_ event: FinOpsEvent, position: Position, at time: Timestamp) {
        let statement = Statement(event: event, position: position, time: time)
        switch event {
        case .channelSet(let set):
            channels[set.channel] = set
            statements["channel \(set.channel)"] = statement
            for destination in set.destinations where outboxes[destination] == nil { open(destination) }
        case .channelRemoved(let removed):
            channels[removed.channel] = nil
            statements["channel \(removed.channel)"] = nil
            statements["schedule \(removed.channel)"] = nil
        case .channelScheduleSet(let set): statements["schedule \(set.channel)"] = statement
        case .alertSnoozed(let snoozed): statements["snooze \(snoozed.scope)/\(snoozed.name)"] = statement
        default: break
        }
        for destination in outboxes.keys { outboxes[destination]?.apply(event, position: position, at: time) }
    }

    /// An outbox as it begins: knowing what was said before.
    private mutating func open(_ destination: String) {
        var outbox = Outbox(destination: destination, settings: settings)
        for statement in statements.values {
            outbox.apply(statement.event, position: statement.position, at: statement.time)
        }
        outboxes[destination] = outbox
    }

    /// Takes in events of an outbox, in the order of their versions.
    mutating func evolve(_ destination: String, _ events: [(event: FinOpsEvent, time: Timestamp)]) {
        if outboxes[destination] == nil { open(destination) }
        for (event, time) in events { outboxes[destination]?.evolve(event, at: time) }
        grew(.outbox(destination), by: events.count)
    }

    /// Notes that a stream has so many events more.
    mutating func grew(_ stream: StreamName, by count: Int) {
        versions[stream] = StreamVersion(version(stream).value + UInt64(count))
    }

    func version(_ stream: StreamName) -> StreamVersion { versions[stream] ?? .none }
}

extension StreamName {
    /// The destination of an outbox; nil for any other stream.
    var destination: String? { category == "outbox" ? String(text.dropFirst("outbox-".count)) : nil }
}

// MARK: Loading

extension NotifierMemory {
    private static let runTail: UInt64 = 50
    private static let runStreams = 100

    /// Reads what a run begins with: what was said up to a position, and the outboxes as they are. What was put aside has
    /// no part in it.
    /// - Parameter answers: up to there it counts what people said of events put aside; without, up to the position.
    mutating func load(
        from reader: any EventReader, through position: Position, answersThrough answers: Position? = nil
    ) async throws {
        let parking = try await parking(reader, answersThrough: answers ?? position)
        let said = try await statements(reader, through: position, without: parking)
        // Before the outboxes, so that an old channel is no news to them; acknowledgements after: they are about items.
        for (recorded, event) in said {
            if case .alertAcknowledged = event { continue }
            hear(event, position: recorded.position, at: recorded.event.occurred)
        }
        for summary in try await reader.allStreams(prefix: "outbox-") {
            guard let destination = summary.stream.destination else { continue }
            try await refresh(destination, from: reader)
        }
        for (recorded, event) in said {
            guard case .alertAcknowledged = event else { continue }
            hear(event, position: recorded.position, at: recorded.event.occurred)
        }
        try await loadSilence(from: reader, through: position, without: parking)
    }

    private func parking(_ reader: any EventReader, answersThrough position: Position) async throws -> ParkingLot {
        var parking = ParkingLot(stage: Notifier.stage)
        for recorded in try await reader.readAll(stream: .failures(stage: Notifier.stage)) {
            // An administrator's answer beyond the position is still to be acted on, not yet history.
            guard recorded.position <= position || recorded.type == "processing.failed" else { continue }
            if let event = try EventCatalogue.decode(recorded.event) { parking.evolve(event) }
        }
        return parking
    }

    /// nil for what was put aside, and for what would be: of an event that cannot be decoded nothing is known, and that
    /// must not keep the others from being told.
    private func readable(_ recorded: RecordedEvent, without parking: ParkingLot) -> FinOpsEvent? {
        parking.excludes(recorded.position) ? nil : try? EventCatalogue.decode(recorded.event)
    }

    private func statements(
        _ reader: any EventReader, through position: Position, without parking: ParkingLot
    ) async throws -> [(RecordedEvent, FinOpsEvent)] {
        var said: [(RecordedEvent, FinOpsEvent)] = []
        for prefix in ["channel-", "threshold-"] {
            for summary in try await reader.allStreams(prefix: prefix) {
                for recorded in try await reader.readAll(stream: summary.stream)
                where recorded.position <= position && Self.statementTypes.contains(recorded.type) {
                    if let event = readable(recorded, without: parking) { said.append((recorded, event)) }
                }
            }
        }
        return said.sorted { $0.0.position < $1.0.position }
    }

    /// Takes in what an outbox's stream has beyond what is known.
    /// - Returns: it.
    @discardableResult
    mutating func refresh(_ destination: String, from reader: any EventReader) async throws -> [FinOpsEvent] {
        let stream = StreamName.outbox(destination)
        var news: [FinOpsEvent] = []
        while true {
            let page = try await reader.read(stream: stream, after: version(stream), limit: EventLimits.readEvents)
            if page.isEmpty { return news }
            // What this program does not know changes nothing here, but it has its version.
            var events: [(event: FinOpsEvent, time: Timestamp)] = []
            for recorded in page {
                if let event = try EventCatalogue.decode(recorded.event) {
                    events.append((event, recorded.event.occurred))
                }
            }
            evolve(destination, events)
            grew(stream, by: page.count - events.count)
            news += events.map(\.event)
        }
    }

    private mutating func loadSilence(
        from reader: any EventReader, through position: Position, without parking: ParkingLot
    ) async throws {
        for prefix in ["connection-", "condition-"] {
            for summary in try await reader.allStreams(prefix: prefix) {
                for recorded in try await reader.readAll(stream: summary.stream) {
                    if prefix == "condition-" { grew(summary.stream, by: 1) }
                    guard recorded.position <= position || prefix == "condition-",
                        let event = readable(recorded, without: parking)
                    else { continue }
                    silence.evolve(event, at: recorded.recorded)
                }
            }
        }
        for account in silence.accounts {
            let streams = try await reader.allStreams(prefix: "run-\(account)-").filter {
                $0.stream.accountDay?.account == account
            }
            for summary in streams.suffix(Self.runStreams) {
                let tail = StreamVersion(summary.version.value - min(summary.version.value, Self.runTail))
                let runs = try await reader.read(stream: summary.stream, after: tail, limit: Int(Self.runTail))
                if let last = runs.last(where: { $0.type == "run.finished" }) {
                    silence.brought(account, at: last.recorded)
                }
            }
        }
    }

    /// Usage counts, too, where nobody collects: the accounts that seem silent are looked at more closely.
    mutating func lookForUsage(in reader: any EventReader, at now: Timestamp) async throws {
        for account in silence.silentAccounts(at: now) {
            let days = try await reader.allStreams(prefix: "usage-\(account)-").filter {
                $0.stream.accountDay?.account == account
            }
            for summary in days.suffix(3) {
                let last = StreamVersion(summary.version.value - min(summary.version.value, 1))
                if let event = try await reader.read(stream: summary.stream, after: last, limit: 1).last {
                    silence.brought(account, at: event.recorded)
                }
            }
        }
    }
}
