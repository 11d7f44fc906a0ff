import EventLog
import FinOps

/// What is made and stopped at providers leaves its trace in the audit log, and an emergency's steps beside the decision
/// that they belong to.
extension ProjectionFold {
    func apply(_ event: WireProvisionStarted, _ context: ProjectedEvent) throws {
        try audit(
            context, event.upstream,
            "project \(event.project) at \(event.provider)/\(event.account) as \(event.providerName)", event.reason)
    }

    func apply(_ event: WireProvisionProjectMade, _ context: ProjectedEvent) throws {
        try audit(context, event.upstream, event.providerProjectID + (event.found ? ", found by its name" : ""), "")
    }

    func apply(_ event: WireProvisionAccountMade, _ context: ProjectedEvent) throws {
        try audit(
            context, event.upstream, "\(event.serviceAccountID) with key \(event.providerKeyID) \(event.keyMask)", "")
    }

    func apply(_ event: WireProvisionAccountDeleted, _ context: ProjectedEvent) throws {
        try audit(context, event.upstream, "\(event.serviceAccountID), \(event.cause)", event.reason)
    }

    func apply(_ event: WireProvisionWithdrawalStarted, _ context: ProjectedEvent) throws {
        try audit(context, event.upstream, "", event.reason)
    }

    func apply(_ event: WireProvisionWithdrawn, _ context: ProjectedEvent) throws {
        try audit(context, event.upstream, "archived \(event.archived.joined(separator: ", "))", "")
    }

    func apply(_ event: WireKeyEmergencyStepStarted, _ context: ProjectedEvent) throws {
        let drill = event.drill ? "drill, " : ""
        let place = [event.providerProjectID, event.providerKeyID].filter { !$0.isEmpty }.joined(separator: " ")
        let before = event.before.isEmpty ? "" : ", before: \(event.before)"
        try audit(
            context, event.key, "\(drill)\(event.step) of \(event.upstream) at \(event.provider) \(place)\(before)",
            event.reason)
        try run(
            """
            INSERT INTO kill_steps VALUES (?,?,?,?,NULL,'started','',?,?) ON CONFLICT DO UPDATE SET
            started = excluded.started, ended = NULL, outcome = 'started', detail = '', attempts = attempts + 1,
            before = CASE WHEN before = '' THEN excluded.before ELSE before END
            """, .integer(Int64(clamping: event.decision)), .text(event.step), .text(event.upstream),
            .integer(context.recorded.microseconds), .text(event.before), .integer(1))
    }

    func apply(_ event: WireKeyEmergencyStepEnded, _ context: ProjectedEvent) throws {
        let drill = event.drill ? "drill, " : ""
        try audit(
            context, event.key, "\(drill)\(event.step) of \(event.upstream): \(event.outcome), \(event.detail)",
            event.reason)
        // A step that was skipped never began.
        try run(
            """
            INSERT INTO kill_steps VALUES (?,?,?,NULL,?,?,?,'',0) ON CONFLICT DO UPDATE SET
            ended = excluded.ended, outcome = excluded.outcome, detail = excluded.detail
            """, .integer(Int64(clamping: event.decision)), .text(event.step), .text(event.upstream),
            .integer(context.recorded.microseconds), .text(event.outcome), .text(event.detail))
    }
}
