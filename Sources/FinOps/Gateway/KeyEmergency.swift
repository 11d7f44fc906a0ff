package import EventLog
import SwiftProtobuf

/// What can be done about a key behind the gateway's own refusal, in this order.
package enum EmergencyRoute: String, CaseIterable, Sendable {
    /// The key with which the gateway calls the provider, or the service account that owns it.
    case deleteProviderKey = "delete-provider-key"
    /// The provider's project that pays for it.
    case capProviderProject = "cap-provider-project"
}

/// How a step ended.
package enum EmergencyOutcome: Hashable, Sendable {
    /// In force at the provider; the text says what.
    case done(String)
    /// The provider said no, or nothing; its words.
    case refused(String)
    /// Not tried; why.
    case skipped(String)
    /// Of a drill: what would be done.
    case rehearsed(String)

    /// The word for it in events and answers.
    package var word: String {
        switch self {
        case .done: "done"
        case .refused: "refused"
        case .skipped: "skipped"
        case .rehearsed: "rehearsed"
        }
    }

    /// What it says, for people.
    package var detail: String {
        switch self {
        case .done(let text), .refused(let text), .skipped(let text), .rehearsed(let text): text
        }
    }
}

/// A route for one of the upstreams that a key's calls may go to.
package struct EmergencyStep: Hashable, Sendable {
    package let route: EmergencyRoute
    /// Its name.
    package let upstream: String

    package init(_ route: EmergencyRoute, upstream: String) {
        self.route = route
        self.upstream = upstream
    }
}

extension KeyRegister {
    /// How far a step got since the key was disabled.
    package struct StepStanding: Equatable, Sendable {
        /// What was in force before the first attempt at it.
        package var before: String
        /// `EmergencyOutcome.word`; nil while nobody knows.
        package var outcome: String?

        package init(before: String, outcome: String? = nil) {
            self.before = before
            self.outcome = outcome
        }
    }

    /// The fold over an emergency's steps; those of a drill leave the key as it is.
    static func evolve(_ key: inout Key, _ event: FinOpsEvent) {
        switch event {
        case .keyEmergencyStepStarted(let started) where !started.drill:
            guard let route = EmergencyRoute(rawValue: started.step) else { return }
            let step = EmergencyStep(route, upstream: started.upstream)
            // A step that was skipped has read nothing.
            let earlier = key.steps[step]?.before ?? ""
            key.steps[step] = StepStanding(before: earlier.isEmpty ? started.before : earlier, outcome: nil)
        case .keyEmergencyStepEnded(let ended) where !ended.drill:
            guard let route = EmergencyRoute(rawValue: ended.step) else { return }
            key.steps[EmergencyStep(route, upstream: ended.upstream), default: StepStanding(before: "")].outcome =
                ended.outcome
        default: break
        }
    }

    /// - Returns: nothing for a step that is done already.
    static func decide(
        start started: WireKeyEmergencyStepStarted, of key: Key
    ) throws(KeyRejection) -> [FinOpsEvent] {
        guard started.drill || key.disabled != nil else { throw .notDisabled(started.key) }
        if let route = EmergencyRoute(rawValue: started.step), !started.drill,
            key.isDone(EmergencyStep(route, upstream: started.upstream))
        {
            return []
        }
        return [.keyEmergencyStepStarted(started)]
    }

    /// - Returns: nothing for a step that is done already, or has been skipped for no other reason than now.
    static func decide(end ended: WireKeyEmergencyStepEnded, of key: Key) throws(KeyRejection) -> [FinOpsEvent] {
        guard ended.drill || key.disabled != nil else { throw .notDisabled(ended.key) }
        if let route = EmergencyRoute(rawValue: ended.step), !ended.drill,
            key.isDone(EmergencyStep(route, upstream: ended.upstream))
        {
            return []
        }
        return [.keyEmergencyStepEnded(ended)]
    }
}

extension KeyRegister.Key {
    package func isDone(_ step: EmergencyStep) -> Bool { steps[step]?.outcome == "done" }
}

/// What an emergency has to reach, and whom else that stops.
package enum EmergencyReach {
    /// The upstreams that calls with a key may go to, by the rule with which a gateway chooses them.
    /// - Parameter upstreams: in the order in which their names were first set.
    package static func upstreams(of key: WireKeyIssued, among upstreams: [WireUpstreamSet]) -> [WireUpstreamSet] {
        let facts = KeyFacts(key, prefix: key.prefix)
        return upstreams.compactMap { event in
            UpstreamFacts(event).flatMap { canServe(facts, $0, among: upstreams) ? event : nil }
        }
    }

    /// The other keys of the gateway that something at the provider would stop, as they stand.
    /// - Parameters:
    ///   - stopped: names of the key's upstreams whose providers can be told.
    ///   - keys: all there are.
    package static func sharers(
        of key: WireKeyIssued, stopping stopped: Set<String>, among keys: [KeyRegister.Key],
        upstreams: [WireUpstreamSet], at now: Timestamp
    ) -> [WireKeyIssued] {
        keys.filter { other in
            guard other.issued.key != key.key, ![.disabled, .expired].contains(other.status(at: now)) else {
                return false
            }
            return self.upstreams(of: other.issued, among: upstreams).contains { stopped.contains($0.name) }
        }.map(\.issued)
    }

    private static func canServe(_ key: KeyFacts, _ facts: UpstreamFacts, among all: [WireUpstreamSet]) -> Bool {
        guard facts.project == nil || facts.project == key.project else { return false }
        guard facts.deployments.isEmpty || facts.deployments.keys.contains(where: key.allows(model:)) else {
            return false
        }
        let rivals = all.compactMap(UpstreamFacts.init).filter {
            ($0.provider == .anthropic) == (facts.provider == .anthropic)
        }
        // Whatever the project's own general upstream takes never comes to the others.
        let own = rivals.first { $0.project == key.project && $0.deployments.isEmpty }
        if facts.project == nil, own != nil { return false }
        if facts.deployments.isEmpty {
            return rivals.first { $0.project == facts.project && $0.deployments.isEmpty }?.name == facts.name
        }
        return true
    }
}
