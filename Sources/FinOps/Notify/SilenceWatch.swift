package import EventLog
import SwiftProtobuf

/// Notices what does not happen: a source that brings nothing, a stage that stands still or does not answer. Pure: it is
/// told what happened and what was seen, and says which conditions begin and end.
package struct SilenceWatch: Sendable {
    /// How long is too long.
    package struct Settings: Sendable {
        /// Without a successful collection or usage of a connected account.
        package var silentAfterSeconds: Int64
        /// Without an answer of a stage, or a step of one that has something to do.
        package var stalledAfterSeconds: Int64

        package init(silentAfterSeconds: Int64 = 26 * 3_600, stalledAfterSeconds: Int64 = 600) {
            self.silentAfterSeconds = silentAfterSeconds
            self.stalledAfterSeconds = stalledAfterSeconds
        }
    }

    /// A stage as its health socket shows it.
    package struct StageSample: Hashable, Sendable {
        /// The last position that all its consumers have handled.
        package var handled: Position
        /// What they have not.
        package var lagEvents: UInt64

        package init(handled: Position, lagEvents: UInt64) {
            self.handled = handled
            self.lagEvents = lagEvents
        }
    }

    /// What can be wrong, and with what.
    package struct Condition: Hashable, Sendable {
        /// A connected account that brings nothing.
        package static let sourceSilent = "source-silent"
        /// Thresholds are not watched.
        package static let evaluationStalled = "evaluation-stalled"
        /// Figures get old.
        package static let projectionLagging = "projection-lagging"
        package static let kinds = [sourceSilent, evaluationStalled, projectionLagging]

        package let kind: String
        /// Such as `openai/acme`, or a stage.
        package let subject: String
    }

    private struct Connection {
        let account: String
        let since: Timestamp
    }

    private struct Stage {
        var sample: StageSample?
        /// When it last was as it should be; when watching began, before that.
        var sound: Timestamp
        var isSound = true
    }

    private let settings: Settings
    /// By the stage that is watched.
    private let kinds: [String: String]

    private var connections: [Condition: Connection] = [:]
    private var lastBrought: [String: Timestamp] = [:]
    private var stages: [String: Stage] = [:]
    /// What holds, with the event that said so.
    private var raised: [Condition: WireConditionRaised] = [:]
    private var watchedSince: Timestamp?
    private var lastLook: Timestamp?

    /// - Parameter stages: the ones to watch, each with the condition of its standstill.
    package init(settings: Settings, stages: [String: String]) {
        self.settings = settings
        kinds = stages
    }

    /// What it reacts to.
    package static let types: Set<EventType> = [
        "connection.made", "connection.removed", "run.finished", "condition.raised", "condition.ended",
    ]

    /// - Parameter time: when the event was recorded.
    package mutating func evolve(_ event: FinOpsEvent, at time: Timestamp) {
        switch event {
        case .connectionMade(let event):
            let condition = Condition(kind: Condition.sourceSilent, subject: "\(event.provider)/\(event.account)")
            connections[condition] = Connection(
                account: event.account, since: connections[condition]?.since ?? time)
        case .connectionRemoved(let event):
            connections[Condition(kind: Condition.sourceSilent, subject: "\(event.provider)/\(event.account)")] = nil
        case .runFinished(let event): brought(event.account, at: time)
        case .conditionRaised(let event): raised[Condition(kind: event.kind, subject: event.subject)] = event
        case .conditionEnded(let event): raised[Condition(kind: event.kind, subject: event.subject)] = nil
        default: break
        }
    }

    /// An account has brought something.
    package mutating func brought(_ account: String, at time: Timestamp) {
        lastBrought[account] = max(lastBrought[account] ?? time, time)
    }

    /// Connected accounts.
    package var accounts: [String] { connections.values.map(\.account).sorted() }

    /// The accounts that would be called silent now: whoever asks may look for usage that came without a collection.
    package func silentAccounts(at now: Timestamp) -> [String] {
        connections.values.filter { isSilent($0, at: now) }.map(\.account).sorted()
    }

    /// Takes in how the stages are.
    /// - Parameter samples: nil for one that does not answer.
    package mutating func look(_ samples: [String: StageSample?], at now: Timestamp) {
        // What happened while nobody looked is unknown: a machine that slept, a program that was stopped.
        let limit = settings.stalledAfterSeconds / 2
        let hasLooked = lastLook.map { $0 <= now && now.seconds - $0.seconds <= limit } ?? false
        if !hasLooked { watchedSince = now }
        for name in kinds.keys {
            let sample = samples[name] ?? nil
            var stage = stages[name] ?? Stage(sound: now)
            if !hasLooked { stage.sound = now }
            stage.isSound = sample.map { $0.lagEvents == 0 || $0.handled != stage.sample?.handled } ?? false
            if stage.isSound { stage.sound = now }
            stage.sample = sample
            stages[name] = stage
        }
        lastLook = now
    }

    // MARK: Deciding

    /// - Returns: conditions that begin or end, in a fixed order; nothing before the first look.
    package func decide(at now: Timestamp) -> [FinOpsEvent] {
        (silences(at: now) + standstills(at: now)).sorted { $0.order < $1.order }.map(\.event)
    }

    private struct Change {
        let order: String
        let event: FinOpsEvent
    }

    private func silences(at now: Timestamp) -> [Change] {
        var changes: [Change] = []
        for (condition, connection) in connections {
            let last = lastSign(of: connection)
            if raised[condition] == nil, isSilent(connection, at: now) {
                let hours = (now.seconds - last.seconds) / 3_600
                changes.append(begin(condition, since: last, "nothing has come for \(hours) h"))
            } else if raised[condition] != nil, !isOverdue(connection, at: now) {
                changes.append(end(condition, "something has come again"))
            }
        }
        for condition in raised.keys where condition.kind == Condition.sourceSilent && connections[condition] == nil {
            changes.append(end(condition, "it is no longer connected"))
        }
        return changes
    }

    private func lastSign(of connection: Connection) -> Timestamp {
        max(lastBrought[connection.account] ?? connection.since, connection.since)
    }

    private func isOverdue(_ connection: Connection, at now: Timestamp) -> Bool {
        now.seconds - lastSign(of: connection).seconds > settings.silentAfterSeconds
    }

    private func isSilent(_ connection: Connection, at now: Timestamp) -> Bool {
        // A pipeline that has just started, or was asleep, gets the chance to collect first.
        guard let watchedSince, now.seconds - watchedSince.seconds > settings.stalledAfterSeconds else { return false }
        return isOverdue(connection, at: now)
    }

    private func standstills(at now: Timestamp) -> [Change] {
        kinds.compactMap { name, kind in
            guard let stage = stages[name] else { return nil }
            let condition = Condition(kind: kind, subject: name)
            if stage.isSound { return raised[condition].map { _ in end(condition, "it works again") } }
            guard raised[condition] == nil, now.seconds - stage.sound.seconds > settings.stalledAfterSeconds else {
                return nil
            }
            let detail =
                stage.sample.map { "it stands at position \($0.handled), with \($0.lagEvents) events to go" }
                ?? "it does not answer"
            return begin(condition, since: stage.sound, detail)
        }
    }

    private func begin(_ condition: Condition, since: Timestamp, _ detail: String) -> Change {
        Change(
            order: "\(condition.kind) \(condition.subject)",
            event: .conditionRaised(
                .with {
                    $0.kind = condition.kind
                    $0.subject = condition.subject
                    $0.since = since.seconds
                    $0.detail = detail
                }))
    }

    private func end(_ condition: Condition, _ detail: String) -> Change {
        Change(
            order: "\(condition.kind) \(condition.subject)",
            event: .conditionEnded(
                .with {
                    $0.kind = condition.kind
                    $0.subject = condition.subject
                    $0.since = raised[condition]?.since ?? 0
                    $0.detail = detail
                }))
    }
}
