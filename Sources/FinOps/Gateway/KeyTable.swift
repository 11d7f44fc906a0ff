package import EventLog
import FoundationEssentials
import SwiftProtobuf

/// The gateway's own fold over keys, upstreams, projects and thresholds: who may call, what is called, and what a limit
/// does. A value that never goes back: an event at or before its position changes nothing. Under a lock it answers in the
/// time of a few dictionary look-ups.
package struct KeyTable: Sendable {
    /// The types of its history.
    package static let types: Set<EventType> = [
        "key.issued", "key.rotated", "key.disabled", "key.reactivated", "key.disablement-enforced", "upstream.set",
        "upstream.removed", "project.added", "project.moved", "threshold.set", "threshold.removed",
    ]

    struct Entry: Sendable {
        var issued: WireKeyIssued
        var facts: KeyFacts
        var hash: KeyHash
        var replaced: Replaced?
        /// What was said when it was disabled; nil while it may be used.
        var disabled: String?

        var isDisabled: Bool { disabled != nil }
    }

    /// A disablement, or a drill of one, that this gateway has not acknowledged yet.
    struct Decision: Hashable, Codable, Sendable {
        let key: String
        let position: UInt64
        /// Unix microseconds.
        let decided: Int64
        let isDrill: Bool
    }

    /// When a key was last let through, and for which call.
    package struct Acceptance: Hashable, Codable, Sendable {
        /// Unix microseconds.
        package let at: Int64
        package let call: String
    }

    /// A value that was replaced.
    struct Replaced: Sendable {
        /// With its own prefix: a refusal names the value that was shown.
        let facts: KeyFacts
        let hash: KeyHash
        /// Unix seconds.
        let validUntil: Int64
    }

    /// A key's value: the one in use, or the one before it.
    private struct Place: Sendable {
        let id: String
        let isReplaced: Bool
    }

    package let gateway: String
    /// Of the last event taken in.
    package internal(set) var position: Position = .start
    var keys: [String: Entry] = [:]
    private var places: [KeyHash: Place] = [:]
    /// In the order in which their names were first set.
    package internal(set) var upstreams: [UpstreamFacts] = []
    var projects: [String: Timeline<String>] = [:]
    var thresholds: [CostScope: WireThresholdSet] = [:]
    var decisions: [Decision] = []
    package internal(set) var accepted: [String: Acceptance] = [:]

    /// - Parameter gateway: this one's name.
    package init(gateway: String) { self.gateway = gateway }

    // MARK: Asking

    /// Whether a presented key may be used at all; what it may be used for, its facts tell.
    package func answer(to hash: KeyHash, at now: Timestamp) -> KeyAnswer {
        guard let place = places[hash], let entry = keys[place.id] else { return .refused(.unknown) }
        let replaced = place.isReplaced ? entry.replaced : nil
        let facts = replaced?.facts ?? entry.facts
        if let reason = entry.disabled { return .refused(.disabled(facts, reason: reason)) }
        if let expires = facts.expires, expires <= now.seconds { return .refused(.expired(facts)) }
        if let replaced, replaced.validUntil <= now.seconds { return .refused(.replaced(facts)) }
        return .accepted(facts)
    }

    /// What is known of a key, whether or not it may be used.
    func facts(of id: String) -> KeyFacts? { keys[id]?.facts }

    /// Notes that a request was let through: proof for a later disablement. Called under the lock that `answer` had.
    package mutating func accept(_ id: String, call: String, at now: Timestamp) {
        accepted[id] = Acceptance(at: now.microseconds, call: call)
    }

    /// Notes the same of a call of an earlier run: that run's last ones are in no snapshot.
    package mutating func noteAccepted(_ call: WireCallRecorded) {
        guard call.gateway == gateway, call.started > accepted[call.key]?.at ?? .min else { return }
        accepted[call.key] = Acceptance(at: call.started, call: call.call)
    }

    /// The team that a project belongs to at a moment.
    package func team(of project: String, at now: Timestamp) -> String? { projects[project]?.value(at: now) }

    /// Which upstream serves a model. A project's own comes before those of all; then one that names the model among its
    /// deployments before those that name none; among equals the one that was set up first.
    /// - Parameters:
    ///   - isAnthropic: whether the call is in Anthropic's dialect; else it is in OpenAI's.
    ///   - project: of the key.
    /// - Returns: nil if there is none of that dialect which serves it.
    package func upstream(isAnthropic: Bool, model: String, project: String) -> UpstreamFacts? {
        var best: (facts: UpstreamFacts, rank: Int)?
        for facts in upstreams where (facts.provider == .anthropic) == isAnthropic {
            guard facts.project == nil || facts.project == project else { continue }
            let namesIt = facts.deployments[model] != nil
            guard namesIt || facts.deployments.isEmpty else { continue }
            let rank = (facts.project == nil ? 0 : 2) + (namesIt ? 1 : 0)
            if rank > (best?.rank ?? -1) { best = (facts, rank) }
        }
        return best?.facts
    }

    // MARK: Folding

    /// Takes an event in; one that is not among `types`, or that it knows already, changes nothing.
    package mutating func take(_ event: FinOpsEvent, _ recorded: RecordedEvent) {
        guard recorded.position > position else { return }
        position = recorded.position
        switch event {
        case .keyIssued(let event): issue(event)
        case .keyRotated(let event): rotate(event)
        case .keyDisabled(let event): disable(event, recorded)
        case .keyReactivated(let event):
            keys[event.key]?.disabled = nil
            // What was taken back before it was in force here was never in force here.
            decisions.removeAll { $0.key == event.key }
        case .keyDisablementEnforced(let event) where event.gateway == gateway:
            decisions.removeAll { $0.position == event.decision }
        case .upstreamSet(let event): setUpstream(event)
        case .upstreamRemoved(let event): upstreams.removeAll { $0.name == event.name }
        case .projectAdded(let event): projects[event.project, default: Timeline()].set(event.team, from: nil)
        case .projectMoved(let event): projects[event.project, default: Timeline()].set(event.team, from: event.start)
        case .thresholdSet(let event):
            if let scope = CostScope(kind: event.scope, name: event.name) { thresholds[scope] = event }
        case .thresholdRemoved(let event):
            if let scope = CostScope(kind: event.scope, name: event.name) { thresholds[scope] = nil }
        default: break
        }
    }

    private mutating func issue(_ event: WireKeyIssued) {
        guard let hash = KeyHash(event.hash) else { return }
        add(Entry(issued: event, facts: KeyFacts(event, prefix: event.prefix), hash: hash))
    }

    private mutating func rotate(_ event: WireKeyRotated) {
        guard var entry = keys[event.key], let hash = KeyHash(event.hash) else { return }
        if let older = entry.replaced { places[older.hash] = nil }
        entry.replaced = Replaced(facts: entry.facts, hash: entry.hash, validUntil: event.oldValidUntil)
        entry.hash = hash
        entry.facts = KeyFacts(entry.issued, prefix: event.prefix)
        add(entry)
    }

    mutating func add(_ entry: Entry) {
        keys[entry.facts.id] = entry
        if let replaced = entry.replaced { places[replaced.hash] = Place(id: entry.facts.id, isReplaced: true) }
        places[entry.hash] = Place(id: entry.facts.id, isReplaced: false)
    }

    private mutating func disable(_ event: WireKeyDisabled, _ recorded: RecordedEvent) {
        let isDrill = event.cause == KeyRegister.Cause.drill.rawValue
        if !isDrill { keys[event.key]?.disabled = event.reason }
        guard keys[event.key] != nil else { return }
        decisions.append(
            Decision(
                key: event.key, position: recorded.position.value, decided: recorded.recorded.microseconds,
                isDrill: isDrill))
    }

    private mutating func setUpstream(_ event: WireUpstreamSet) {
        guard let facts = UpstreamFacts(event) else { return }
        if let place = upstreams.firstIndex(where: { $0.name == event.name }) {
            upstreams[place] = facts
        } else {
            upstreams.append(facts)
        }
    }

    // MARK: Acknowledging

    /// Drops what there is to acknowledge, which is for gateways alone: called by whoever folds keys for another reason.
    package mutating func forgetDecisions() { decisions = [] }

    /// The acknowledgements that are due: each decision that is in force here, with the last request before it. They are
    /// given once; those that never reach the log are given again after a restart.
    /// - Parameter now: when they came in force here.
    package mutating func enforcements(at now: Timestamp) -> [WireKeyDisablementEnforced] {
        defer { decisions = [] }
        return decisions.map { decision in
            .with {
                $0.key = decision.key
                $0.gateway = gateway
                $0.decision = decision.position
                $0.decided = decision.decided
                $0.enforced = now.microseconds
                if let last = accepted[decision.key] {
                    $0.lastAccepted = last.at
                    $0.lastCall = last.call
                }
                $0.drill = decision.isDrill
            }
        }
    }
}
