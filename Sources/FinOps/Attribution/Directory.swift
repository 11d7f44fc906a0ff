package import EventLog

/// What attribution needs to know of teams, projects, connections and mappings: who owns what from when on.
package struct Directory: Hashable, Sendable {
    /// One account at one provider.
    package struct Account: Hashable, Comparable, Sendable {
        package let provider: String
        package let account: String

        package init(provider: String, account: String) {
            self.provider = provider
            self.account = account
        }

        package static func < (left: Account, right: Account) -> Bool {
            (left.provider, left.account) < (right.provider, right.account)
        }
    }

    /// Project → its team over time.
    package private(set) var projects: [String: Timeline<String>] = [:]
    /// Every account that was ever connected: a removed one keeps its history.
    package private(set) var accounts: Set<Account> = []
    /// Provider → subject → its project over time.
    package private(set) var mappings: [String: [AttributionSubject: Timeline<String>]] = [:]

    package init() {}

    /// Takes in an event; one that is not among `types` changes nothing.
    package mutating func evolve(_ event: FinOpsEvent) {
        switch event {
        case .projectAdded(let event): projects[event.project, default: Timeline()].set(event.team, from: nil)
        case .projectMoved(let event): projects[event.project, default: Timeline()].set(event.team, from: event.start)
        case .connectionMade(let event): accounts.insert(.init(provider: event.provider, account: event.account))
        case .keyMapped(let event):
            mappings[event.provider, default: [:]][.key(event.providerKeyID), default: Timeline()]
                .set(event.project, from: event.start)
        case .providerProjectMapped(let event):
            mappings[event.provider, default: [:]][
                .providerProject(event.providerProjectID), default: Timeline()
            ].set(event.project, from: event.start)
        default: break
        }
    }

    /// The types of its history.
    package static let types: Set<EventType> = [
        "project.added", "project.moved", "connection.made", "key.mapped", "provider-project.mapped",
    ]

    /// Prefixes of the streams of its history.
    package static let streamPrefixes = ["directory-", "connection-", "mapping-"]
}

extension Directory {
    /// To whom a subject belongs over time: its projects, and their teams.
    package func ownership(of subject: AttributionSubject, provider: String) -> Timeline<Owner> {
        var ownership = Timeline<Owner>()
        // Each span overrides what was before it from its beginning on, so stating them in order composes them.
        for span in mappings[provider]?[subject]?.spans ?? [] {
            for team in projects[span.value]?.spans(from: span.from) ?? [] {
                ownership.set(Owner(team: team.value, project: span.value), from: team.from)
            }
        }
        return ownership
    }
}

extension WireProjectMoved {
    /// nil: from the beginning.
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }
}

extension WireKeyMapped {
    /// nil: from the beginning.
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }
}

extension WireProviderProjectMapped {
    /// nil: from the beginning.
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }
}

extension WireAttributionAssigned {
    /// nil: from the beginning.
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }

    /// nil for an event without a subject, which no writer of ours makes.
    package var attributionSubject: AttributionSubject? {
        switch subject {
        case .apiKeyID(let id): .key(id)
        case .providerProjectID(let id): .providerProject(id)
        case nil: nil
        }
    }
}
