import EventLog
import FinOps

/// Decisions to disable a key, and what the gateways made of them.
extension ProjectionFold {
    func noteKill(_ event: FinOpsEvent, _ context: ProjectedEvent) throws {
        switch event {
        case .keyIssued(let issued):
            try run(
                "INSERT INTO gateway_keys VALUES (?,?,?) ON CONFLICT DO NOTHING", .text(issued.key),
                .text(issued.project), position(context))
        case .keyDisabled(let disabled):
            try run(
                "INSERT INTO kills VALUES (?,?,?,?,?,?)", position(context), .text(disabled.key),
                .integer(context.recorded.microseconds), .text(context.actor), .text(disabled.cause),
                .text(disabled.reason))
        case .keyDisablementEnforced(let enforced):
            hear(enforced.gateway, at: enforced.enforced)
            // Said again, after a restart for instance, it is in force since the first time.
            try run(
                """
                INSERT INTO enforcements VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET
                enforced = min(enforced, excluded.enforced),
                last_call = CASE WHEN coalesce(excluded.last_accepted > last_accepted, last_accepted IS NULL)
                    THEN excluded.last_call ELSE last_call END,
                last_accepted = max(coalesce(last_accepted, excluded.last_accepted),
                    coalesce(excluded.last_accepted, last_accepted))
                """,
                .integer(Int64(clamping: enforced.decision)), .text(enforced.gateway), .integer(enforced.enforced),
                enforced.hasLastAccepted ? .integer(enforced.lastAccepted) : .null, .text(enforced.lastCall),
                position(context))
        case .budgetLeased(let leased): hear(leased.gateway, at: context.recorded.microseconds)
        case .keyPaceJoined(let joined): hear(joined.gateway, at: context.recorded.microseconds)
        default: break
        }
    }

    /// A gateway lived at that moment: one that was never heard of cannot owe an acknowledgement.
    func hear(_ gateway: String, at microseconds: Int64) {
        guard let known = heard[gateway] else {
            heard[gateway] = microseconds...microseconds
            return
        }
        if known.contains(microseconds) { return }
        heard[gateway] = min(known.lowerBound, microseconds)...max(known.upperBound, microseconds)
    }

    func writeHeard() throws(ProjectionFailure) {
        for (gateway, span) in heard {
            try run(
                """
                INSERT INTO gateways VALUES (?,?,?) ON CONFLICT DO UPDATE SET
                first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)
                """, .text(gateway), .integer(span.lowerBound), .integer(span.upperBound))
        }
        heard.removeAll(keepingCapacity: true)
    }
}
