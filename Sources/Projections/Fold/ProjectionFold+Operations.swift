import EventLog
import FinOps

/// Collection runs, parked events and the life of the stages.
extension ProjectionFold {
    func apply(_ event: WireRunStarted, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO cron_logs(run, provider, account, kind, from_day, to_day, state, started, position)
            VALUES (?,?,?,?,?,?,'running',?,?) ON CONFLICT DO UPDATE SET started = excluded.started
            """,
            .text(event.run), .text(event.provider), .text(event.account), .text(event.kind), .text(event.fromDay),
            .text(event.toDay), .integer(context.recorded.microseconds), position(context))
    }

    func apply(_ event: WireRunFinished, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO cron_logs(run, provider, account, kind, from_day, to_day, state, ended, rows, recorded, restated,
            requests, retries, notes, position) VALUES (?,?,?,?,?,?,'finished',?,?,?,?,?,?,?,?)
            ON CONFLICT DO UPDATE SET state = excluded.state, ended = excluded.ended, rows = excluded.rows,
            recorded = excluded.recorded, restated = excluded.restated, requests = excluded.requests,
            retries = excluded.retries, notes = excluded.notes
            """,
            .text(event.run), .text(event.provider), .text(event.account), .text(event.kind), .text(event.fromDay),
            .text(event.toDay), .integer(context.recorded.microseconds), .integer(event.rows), .integer(event.recorded),
            .integer(event.restated), .integer(event.requests), .integer(event.retries),
            .text(event.notes.joined(separator: "\n")), position(context))
    }

    func apply(_ event: WireRunFailed, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO cron_logs(run, provider, account, kind, from_day, to_day, state, ended, recorded, restated,
            requests, retries, code, message, retriable, key_mask, position)
            VALUES (?,?,?,?,?,?,'failed',?,?,?,?,?,?,?,?,?,?)
            ON CONFLICT DO UPDATE SET state = excluded.state, ended = excluded.ended, recorded = excluded.recorded,
            restated = excluded.restated, requests = excluded.requests, retries = excluded.retries,
            code = excluded.code, message = excluded.message, retriable = excluded.retriable,
            key_mask = excluded.key_mask
            """,
            .text(event.run), .text(event.provider), .text(event.account), .text(event.kind), .text(event.fromDay),
            .text(event.toDay), .integer(context.recorded.microseconds), .integer(event.recorded),
            .integer(event.restated), .integer(event.requests), .integer(event.retries), .text(event.code),
            .text(event.message), SQLValue(event.retriable), .text(event.keyMask), position(context))
    }

    func apply(_ event: WireProcessingFailed, _ context: ProjectedEvent) throws {
        try run(
            """
            INSERT INTO dead_letters VALUES (?,?,?,?,?,?,'parked','',?) ON CONFLICT DO UPDATE SET
            attempts = excluded.attempts, error = excluded.error, state = 'parked', changed = excluded.changed
            """,
            .text(event.stage), .integer(Int64(clamping: event.position)), .text(event.stream), .text(event.type),
            .integer(Int64(event.attempts)), .text(event.error), position(context))
    }

    func apply(_ event: WireProcessingRetried, _ context: ProjectedEvent) throws {
        try settle(event.stage, event.position, "retried", event.reason, context)
    }

    func apply(_ event: WireProcessingSkipped, _ context: ProjectedEvent) throws {
        try settle(event.stage, event.position, "skipped", event.reason, context)
    }

    private func settle(
        _ stage: String, _ parked: UInt64, _ state: String, _ reason: String, _ context: ProjectedEvent
    ) throws {
        try run(
            """
            INSERT INTO dead_letters VALUES (?,?,'','',0,'',?,?,?) ON CONFLICT DO UPDATE SET
            state = excluded.state, reason = excluded.reason, changed = excluded.changed
            """,
            .text(stage), .integer(Int64(clamping: parked)), .text(state), .text(reason), position(context))
        try audit(context, "\(stage)/\(parked)", state, reason)
    }

    func apply(_ event: WireStageReady, _ context: ProjectedEvent) throws {
        try run(
            "INSERT INTO stages VALUES (?,?,?,'ready',?,'',1)", position(context), .text(event.stage),
            .integer(context.recorded.microseconds), .integer(Int64(event.pid)))
    }

    func apply(_ event: WireStageExited, _ context: ProjectedEvent) throws {
        try run(
            "INSERT INTO stages VALUES (?,?,?,'exited',?,?,?)", position(context), .text(event.stage),
            .integer(context.recorded.microseconds), .integer(Int64(event.pid)), .text(event.outcome),
            SQLValue(event.expected))
    }
}
