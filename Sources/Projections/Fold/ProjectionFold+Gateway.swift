import EventLog
import FinOps

/// Keys of the gateway and what it calls leave their trace in the audit log: who issued, changed or stopped which, and why.
extension ProjectionFold {
    func apply(_ event: WireUpstreamSet, _ context: ProjectedEvent) throws {
        var parts = ["\(event.provider) \(event.baseURL) \(event.keyMask)", "account \(event.account)"]
        parts += event.deployments.map { "\($0.model)=\($0.deployment)" }
        try audit(context, event.name, parts.joined(separator: ", "), event.reason)
    }

    func apply(_ event: WireUpstreamRemoved, _ context: ProjectedEvent) throws {
        try audit(context, event.name, "", event.reason)
    }

    func apply(_ event: WireKeyIssued, _ context: ProjectedEvent) throws {
        var parts = ["\(event.prefix)… for project \(event.project)"]
        if !event.name.isEmpty { parts.append("named \(event.name)") }
        if !event.models.isEmpty { parts.append("models \(event.models.joined(separator: " "))") }
        if !event.routes.isEmpty { parts.append("routes \(event.routes.joined(separator: " "))") }
        if event.hasExpires { parts.append("until \(time(event.expires))") }
        if event.requestsPerMinute > 0 { parts.append("\(event.requestsPerMinute) requests a minute") }
        if event.tokensPerMinute > 0 { parts.append("\(event.tokensPerMinute) tokens a minute") }
        try audit(context, event.key, parts.joined(separator: ", "), event.reason)
    }

    func apply(_ event: WireKeyRotated, _ context: ProjectedEvent) throws {
        try audit(
            context, event.key, "\(event.prefix)…, the value before it until \(time(event.oldValidUntil))", event.reason
        )
    }

    func apply(_ event: WireKeyDisabled, _ context: ProjectedEvent) throws {
        try audit(context, event.key, event.cause, event.reason)
    }

    func apply(_ event: WireKeyReactivationRequested, _ context: ProjectedEvent) throws {
        try audit(context, event.key, "", event.reason)
    }

    func apply(_ event: WireKeyReactivated, _ context: ProjectedEvent) throws {
        try audit(context, event.key, "", event.reason)
    }

    func apply(_ event: WireKeyDisablementEnforced, _ context: ProjectedEvent) throws {
        let drill = event.drill ? "drill, " : ""
        let microseconds = max(0, event.enforced &- event.decided)
        try audit(
            context, event.key,
            "\(drill)decision \(event.decision), in force at \(event.gateway) after \(microseconds / 1_000) ms", "")
    }

    private func time(_ second: Int64) -> String { ZonedHour.text(at: Timestamp(seconds: second), days.calendar) }
}
