package import EventLog
import SwiftProtobuf

/// From when on a mapping or a move counts.
package enum MappingStart: Hashable, Sendable {
    case at(Timestamp)
    /// Nothing was said: from the beginning where nothing is overridden, else from the start of today in the business zone.
    case unstated(today: Timestamp)
}

/// What an administrator asks of the directory. `reason` is what they said.
package enum DirectoryCommand: Hashable, Sendable {
    case addTeam(String, owner: String = "", budget: Money? = nil, reason: String = "")
    case addProject(String, team: String, reason: String = "")
    case moveProject(String, team: String, from: MappingStart, reason: String = "")
    case mapKey(provider: String, keyID: String, project: String, from: MappingStart, reason: String = "")
    case mapProviderProject(
        provider: String, providerProjectID: String, project: String, from: MappingStart, reason: String = "")
    case connect(
        provider: String, account: String, baseURL: String, api: String, secretID: String, keyMask: String,
        reason: String = "")
    case disconnect(provider: String, account: String, reason: String = "")
}

/// Why the directory says no.
package enum DirectoryRejection: Error, Hashable, Sendable {
    case badName(field: String, name: String)
    case unknownTeam(String)
    case unknownProject(String)
    case teamExists(String)
    case projectExists(String, team: String)
    /// Streams are named by the account, so one name cannot serve two providers.
    case accountExists(String, provider: String)
    case unknownAccount(provider: String, account: String)
    case unknownAPI(String)
}

extension DirectoryRejection: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badName(let field, let name):
            "\(field) \"\(name.prefix(40))\" is not a name: give 1 to \(Directory.nameBytes) bytes without control characters"
        case .unknownTeam(let team): "there is no team \(team): add it with `finops team add \(team)`"
        case .unknownProject(let project):
            "there is no project \(project): add it with `finops project add \(project) --team TEAM`"
        case .teamExists(let team): "team \(team) exists with another owner or budget"
        case .projectExists(let project, let team):
            "project \(project) belongs to team \(team): move it with `finops project move \(project) --team TEAM`"
        case .accountExists(let account, let provider): "the name \(account) is taken by a connection to \(provider)"
        case .unknownAccount(let provider, let account): "there is no connection \(account) to \(provider)"
        case .unknownAPI(let api): "api \"\(api)\" is neither organization nor legacy"
        }
    }
}

extension Directory {
    package static let nameBytes = 100

    /// Asking for what already holds is no change and gives no events.
    package static func decide(_ command: DirectoryCommand, _ state: State) throws(DirectoryRejection) -> [FinOpsEvent] {
        switch command {
        case .addTeam(let team, let owner, let budget, let reason):
            try addTeam(team, .init(owner: owner, budget: budget), reason, state)
        case .addProject(let project, let team, let reason): try addProject(project, team: team, reason, state)
        case .moveProject(let project, let team, let from, let reason):
            try moveProject(project, team: team, from, reason, state)
        case .mapKey(let provider, let keyID, let project, let from, let reason):
            try map(.key(keyID), provider: provider, project: project, from, reason, state)
        case .mapProviderProject(let provider, let id, let project, let from, let reason):
            try map(.providerProject(id), provider: provider, project: project, from, reason, state)
        case .connect(let provider, let account, let baseURL, let api, let secretID, let keyMask, let reason):
            try connect(
                .init(provider: provider, account: account),
                .init(baseURL: baseURL, api: api, secretID: secretID, keyMask: keyMask), reason, state)
        case .disconnect(let provider, let account, let reason):
            try disconnect(.init(provider: provider, account: account), reason, state)
        }
    }

    private static func check(_ name: String, _ field: String) throws(DirectoryRejection) {
        guard !name.isEmpty, name.utf8.count <= nameBytes,
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else { throw .badName(field: field, name: name) }
    }

    private static func addTeam(_ team: String, _ content: State.Team, _ reason: String, _ state: State)
        throws(DirectoryRejection) -> [FinOpsEvent]
    {
        try check(team, "team")
        if let known = state.teams[team] {
            guard known == content else { throw .teamExists(team) }
            return []
        }
        return [
            .teamAdded(
                .with {
                    $0.team = team
                    $0.owner = content.owner
                    if let budget = content.budget { $0.budget = budget.wire }
                    $0.reason = reason
                })
        ]
    }

    private static func addProject(_ project: String, team: String, _ reason: String, _ state: State)
        throws(DirectoryRejection) -> [FinOpsEvent]
    {
        try check(project, "project")
        guard state.teams[team] != nil else { throw .unknownTeam(team) }
        if let known = state.projects[project]?.spans.last?.value {
            guard known == team else { throw .projectExists(project, team: known) }
            return []
        }
        return [
            .projectAdded(
                .with {
                    $0.project = project
                    $0.team = team
                    $0.reason = reason
                })
        ]
    }

    private static func moveProject(
        _ project: String, team: String, _ from: MappingStart, _ reason: String, _ state: State
    ) throws(DirectoryRejection) -> [FinOpsEvent] {
        guard state.teams[team] != nil else { throw .unknownTeam(team) }
        guard let known = state.projects[project] else { throw .unknownProject(project) }
        guard let start = change(known, to: team, from) else { return [] }
        return [
            .projectMoved(
                .with {
                    $0.project = project
                    $0.team = team
                    if let start { $0.from = start.seconds }
                    $0.reason = reason
                })
        ]
    }

    private static func map(
        _ subject: AttributionSubject, provider: String, project: String, _ from: MappingStart, _ reason: String,
        _ state: State
    ) throws(DirectoryRejection) -> [FinOpsEvent] {
        try check(provider, "provider")
        guard !subject.id.isEmpty, subject.id.utf8.count <= 255 else { throw .badName(field: "id", name: subject.id) }
        guard state.projects[project] != nil else { throw .unknownProject(project) }
        let known = state.mappings[provider]?[subject] ?? Timeline()
        guard let start = change(known, to: project, from) else { return [] }
        switch subject {
        case .key(let id):
            return [
                .keyMapped(
                    .with {
                        $0.provider = provider
                        $0.providerKeyID = id
                        $0.project = project
                        if let start { $0.from = start.seconds }
                        $0.reason = reason
                    })
            ]
        case .providerProject(let id):
            return [
                .providerProjectMapped(
                    .with {
                        $0.provider = provider
                        $0.providerProjectID = id
                        $0.project = project
                        if let start { $0.from = start.seconds }
                        $0.reason = reason
                    })
            ]
        }
    }

    /// - Returns: nil if nothing changes; else from when on, where nil inside is "from the beginning".
    private static func change(_ timeline: Timeline<String>, to value: String, _ from: MappingStart) -> Timestamp?? {
        let start: Timestamp? =
            switch from {
            case .at(let moment): moment
            case .unstated(let today): timeline.spans.isEmpty ? nil : today
            }
        var changed = timeline
        changed.set(value, from: start)
        return changed == timeline ? nil : .some(start)
    }

    private static func connect(
        _ account: State.Account, _ connection: State.Connection, _ reason: String, _ state: State
    ) throws(DirectoryRejection) -> [FinOpsEvent] {
        try check(account.provider, "provider")
        try check(account.account, "name")
        guard ["organization", "legacy"].contains(connection.api) else { throw .unknownAPI(connection.api) }
        if let other = state.connections.keys.first(where: {
            $0.account == account.account && $0.provider != account.provider
        }) {
            throw .accountExists(account.account, provider: other.provider)
        }
        if state.connections[account] == connection { return [] }
        return [
            .connectionMade(
                .with {
                    $0.provider = account.provider
                    $0.account = account.account
                    $0.baseURL = connection.baseURL
                    $0.api = connection.api
                    $0.secretID = connection.secretID
                    $0.keyMask = connection.keyMask
                    $0.reason = reason
                })
        ]
    }

    private static func disconnect(_ account: State.Account, _ reason: String, _ state: State)
        throws(DirectoryRejection) -> [FinOpsEvent]
    {
        guard let known = state.connections[account] else {
            throw .unknownAccount(provider: account.provider, account: account.account)
        }
        if known.isRemoved { return [] }
        return [
            .connectionRemoved(
                .with {
                    $0.provider = account.provider
                    $0.account = account.account
                    $0.reason = reason
                })
        ]
    }
}
