package import EventLog
import SwiftProtobuf

/// Who is who: teams, projects and their moves, connections, and what belongs to whom. Its events live in several streams
/// (`FinOpsEvent.directoryStream`), all of which are its history.
package enum Directory: Decider {
    package struct State: Hashable, Sendable {
        package struct Team: Hashable, Sendable {
            package var owner: String
            /// Monthly.
            package var budget: Money?
        }

        package struct Connection: Hashable, Sendable {
            package var baseURL: String
            package var api: String
            package var secretID: String
            package var keyMask: String
            package var isRemoved = false
        }

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

        package var teams: [String: Team] = [:]
        /// Project → its team over time.
        package var projects: [String: Timeline<String>] = [:]
        /// Every account that was ever connected: a removed one keeps its history.
        package var connections: [Account: Connection] = [:]
        /// Provider → subject → its project over time.
        package var mappings: [String: [AttributionSubject: Timeline<String>]] = [:]
    }

    package static var initialState: State { State() }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .teamAdded(let event):
            state.teams[event.team] = .init(owner: event.owner, budget: event.hasBudget ? Money(event.budget) : nil)
        case .projectAdded(let event): state.projects[event.project, default: Timeline()].set(event.team, from: nil)
        case .projectMoved(let event):
            state.projects[event.project, default: Timeline()].set(event.team, from: event.start)
        case .connectionMade(let event):
            state.connections[.init(provider: event.provider, account: event.account)] = .init(
                baseURL: event.baseURL, api: event.api, secretID: event.secretID, keyMask: event.keyMask)
        case .connectionRemoved(let event):
            state.connections[.init(provider: event.provider, account: event.account)]?.isRemoved = true
        case .keyMapped(let event):
            state.mappings[event.provider, default: [:]][.key(event.providerKeyID), default: Timeline()]
                .set(event.project, from: event.start)
        case .providerProjectMapped(let event):
            state.mappings[event.provider, default: [:]][
                .providerProject(event.providerProjectID), default: Timeline()
            ].set(event.project, from: event.start)
        default: break
        }
    }

    /// The types of its history.
    package static let types: Set<EventType> = [
        "team.added", "project.added", "project.moved", "connection.made", "connection.removed", "key.mapped",
        "provider-project.mapped",
    ]

    /// Prefixes of the streams of its history.
    package static let streamPrefixes = ["directory-", "connection-", "mapping-"]
}

extension Directory.State {
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
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }
}

extension WireKeyMapped {
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }
}

extension WireProviderProjectMapped {
    package var start: Timestamp? { hasFrom ? Timestamp(seconds: from) : nil }
}

extension WireAttributionAssigned {
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

extension FinOpsEvent {
    /// The stream of an event of the directory; nil for all others.
    package var directoryStream: StreamName? {
        switch self {
        case .teamAdded: .teams
        case .projectAdded, .projectMoved: .projects
        case .connectionMade(let event): .connection(provider: event.provider, account: event.account)
        case .connectionRemoved(let event): .connection(provider: event.provider, account: event.account)
        case .keyMapped(let event): .mapping(provider: event.provider)
        case .providerProjectMapped(let event): .mapping(provider: event.provider)
        default: nil
        }
    }
}
