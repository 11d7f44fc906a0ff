package import EventLog

/// A decision to disable a key of the gateway, or its rehearsal, and how far it got.
package struct KillEntry: Hashable, Sendable {
    /// What one gateway made of it.
    package struct Gateway: Hashable, Sendable {
        package var gateway: String
        /// From here on it refused the key; nil: it has not said so.
        package var enforced: Timestamp?
        /// When it last let a request with the key through; nil: it never did.
        package var lastAccepted: Timestamp?
        /// That request's call; empty where there is none.
        package var lastCall: String
    }

    /// A route behind the gateways' refusal: what became of it at the provider of one upstream.
    package struct Step: Hashable, Sendable {
        /// delete-provider-key or cap-provider-project.
        package var step: String
        package var upstream: String
        /// nil for one that was skipped.
        package var started: Timestamp?
        /// nil while nobody knows how it ended.
        package var ended: Timestamp?
        /// started, done, refused, skipped; rehearsed in a drill.
        package var outcome: String
        /// The outcome in words, the provider's where it refused.
        package var detail: String
        /// What was in force before; empty where nothing is known of it.
        package var before: String
        package var attempts: Int64
    }

    /// Of the decision.
    package var position: Int64
    /// Id of the key.
    package var key: String
    /// The key's; nil for a key that was never issued.
    package var project: String?
    /// When the log took the decision.
    package var decided: Timestamp
    /// An opaque id; of a person, the vault knows the name.
    package var actor: String
    /// person, policy or drill.
    package var cause: String
    package var reason: String
    /// Those that said it is in force, and those that were heard of within a day before the decision or after it and have
    /// not said so; by name.
    package var gateways: [Gateway]
    /// In the order of the routes, then by upstream; none where no emergency was declared.
    package var steps: [Step] = []

    /// A drill refuses nothing.
    package var isDrill: Bool { cause == "drill" }

    /// Whether every gateway that is known to run has said so.
    package var isAcknowledged: Bool { gateways.allSatisfy { $0.enforced != nil } }
}

extension ProjectionReader {
    /// Newest first. - Throws: `ProjectionFailure`.
    package func kills(limit: Int) throws -> [KillEntry] {
        var kills = try rows(
            """
            SELECT k.position, k.key, g.project, k.decided, k.actor, k.cause, k.reason
            FROM kills k LEFT JOIN gateway_keys g ON g.key = k.key ORDER BY k.position DESC LIMIT ?
            """, [SQLValue(limit)]
        ) { row in
            KillEntry(
                position: row.integer(0), key: row.text(1), project: row.optionalText(2),
                decided: Timestamp(microseconds: row.integer(3)), actor: row.text(4), cause: row.text(5),
                reason: row.text(6), gateways: [])
        }
        for index in kills.indices {
            kills[index].steps = try steps(of: kills[index].position)
            // Who first appeared afterwards began with the decision in force; who was silent for a day before it is gone.
            let decided = kills[index].decided.microseconds
            kills[index].gateways = try rows(
                """
                SELECT coalesce(e.gateway, g.gateway), e.enforced, e.last_accepted, coalesce(e.last_call, '')
                FROM (SELECT gateway FROM gateways WHERE first_seen <= ?2 AND last_seen >= ?2 - 86400000000) g
                FULL JOIN (SELECT * FROM enforcements WHERE decision = ?1) e ON e.gateway = g.gateway ORDER BY 1
                """, [.integer(kills[index].position), .integer(decided)]
            ) { row in
                KillEntry.Gateway(
                    gateway: row.text(0), enforced: row.instant(1), lastAccepted: row.instant(2), lastCall: row.text(3))
            }
        }
        return kills
    }

    private func steps(of decision: Int64) throws -> [KillEntry.Step] {
        try rows(
            """
            SELECT step, upstream, started, ended, outcome, detail, before, attempts FROM kill_steps
            WHERE decision = ? ORDER BY step DESC, upstream
            """, [.integer(decision)]
        ) { row in
            KillEntry.Step(
                step: row.text(0), upstream: row.text(1), started: row.instant(2), ended: row.instant(3),
                outcome: row.text(4), detail: row.text(5), before: row.text(6), attempts: row.integer(7))
        }
    }
}
