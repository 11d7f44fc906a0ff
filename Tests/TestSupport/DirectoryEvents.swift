import EventLog
package import FinOps

/// The events of administration, short to write.
package enum Administered {
    package static func project(_ project: String, team: String) -> FinOpsEvent {
        var event = WireProjectAdded()
        (event.project, event.team) = (project, team)
        return .projectAdded(event)
    }

    package static func moved(_ project: String, to team: String, from: String? = nil) -> FinOpsEvent {
        var event = WireProjectMoved()
        (event.project, event.team) = (project, team)
        if let from { event.from = hour(from, 0) }
        return .projectMoved(event)
    }

    package static func connected(_ account: String, provider: String = "openai") -> FinOpsEvent {
        var event = WireConnectionMade()
        (event.provider, event.account) = (provider, account)
        return .connectionMade(event)
    }

    package static func key(_ id: String, to project: String, from: String? = nil) -> FinOpsEvent {
        var event = WireKeyMapped()
        (event.provider, event.providerKeyID, event.project) = ("openai", id, project)
        if let from { event.from = hour(from, 0) }
        return .keyMapped(event)
    }

    package static func providerProject(_ id: String, to project: String, from: String? = nil) -> FinOpsEvent {
        var event = WireProviderProjectMapped()
        (event.provider, event.providerProjectID, event.project) = ("openai", id, project)
        if let from { event.from = hour(from, 0) }
        return .providerProjectMapped(event)
    }
}
