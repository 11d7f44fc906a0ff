import ArgumentParser
import EventLog
import JSON
import Projections
import Runtime

/// Disabled keys, and the proof that they stopped.
struct KillsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kills", abstract: "Decisions to disable a key, and what each gateway made of them, newest first.",
        discussion: """
            "acknowledged_ms" is from the decision to the moment from which a gateway refused the key, \
            "last_accepted_ms" from the decision to the last request that it let through: 0 or less means none after \
            the decision, null none at all. A gateway that was heard of within a day before the decision and has not \
            acknowledged it has null in "enforced", and "acknowledged" is false. A drill refuses nothing. CSV and \
            JSONL have a row for each gateway. "steps" are those of an emergency at the provider: "outcome" is started \
            (nobody knows how it ended), done, refused, skipped or, in a drill, rehearsed; "before" is what was in \
            force, to put it back.
            Example: reporter kills --json --dir D
            """)

    @OptionGroup var options: AnswerOptions
    @Option(name: .customLong("limit"), help: "At most this many.") var limit = 50

    func run() async throws {
        let answering = try await Answering.open(options, about: .calls)
        let kills = try answering.reader.kills(limit: limit)
        switch options.format {
        case .json:
            let list = JSONValue.Member("kills", .array(kills.map(Self.document)))
            try Output.line(JSONValue.object(try answering.envelope() + [list] + (try answering.freshness())).text)
        case let format:
            try Self.table(kills).write(format)
            let missing = kills.flatMap { kill in
                kill.gateways.filter { $0.enforced == nil }.map {
                    "NOT ACKNOWLEDGED: \($0.gateway) has not said that \(kill.key) is refused since \(kill.decided.rfc3339Seconds)."
                }
            }
            let steps = kills.flatMap { kill in
                kill.steps.map { step in
                    "\(kill.key) \(step.step) of \(step.upstream): \(step.outcome.uppercased()) \(step.detail)"
                }
            }
            try answering.tell(format, missing + steps)
        }
    }

    private static func document(_ kill: KillEntry) -> JSONValue {
        let gateways = Table(gatewayColumns.map { Table.Column($0) }, rows: kill.gateways.map { values($0, of: kill) })
        let own = Table(killColumns.map { Table.Column($0) }, rows: [values(kill)])
        return .object(
            (own.objects.first?.members ?? []) + [
                .init("acknowledged", .bool(kill.isAcknowledged)), .init("gateways", .array(gateways.objects)),
                .init("steps", .array(kill.steps.map { step($0, of: kill) })),
            ])
    }

    private static func step(_ step: KillEntry.Step, of kill: KillEntry) -> JSONValue {
        func sinceDecision(_ moment: Timestamp?) -> JSONValue {
            moment.map { Milliseconds.value($0.microseconds &- kill.decided.microseconds) } ?? .null
        }
        return [
            "step": .string(step.step), "upstream": .string(step.upstream), "outcome": .string(step.outcome),
            "detail": .string(step.detail), "before": step.before.isEmpty ? .null : .string(step.before),
            "attempts": .integer(step.attempts), "started": JSONValue(step.started?.rfc3339),
            "ended": JSONValue(step.ended?.rfc3339), "ended_ms": sinceDecision(step.ended),
        ]
    }

    private static func table(_ kills: [KillEntry]) -> Table {
        var table = Table((killColumns + gatewayColumns).map { Table.Column($0) })
        table.rows = kills.flatMap { kill in
            kill.gateways.isEmpty
                ? [values(kill) + gatewayColumns.map { _ in .null }]
                : kill.gateways.map { values(kill) + values($0, of: kill) }
        }
        return table
    }

    private static let killColumns = ["position", "key", "project", "decided", "actor", "cause", "reason", "drill"]

    private static func values(_ kill: KillEntry) -> [JSONValue] {
        [
            .integer(kill.position), .string(kill.key), JSONValue(kill.project), .string(kill.decided.rfc3339),
            .string(kill.actor), .string(kill.cause), .string(kill.reason), .bool(kill.isDrill),
        ]
    }

    private static let gatewayColumns = [
        "gateway", "enforced", "acknowledged_ms", "last_accepted", "last_accepted_ms", "last_call",
    ]

    private static func values(_ gateway: KillEntry.Gateway, of kill: KillEntry) -> [JSONValue] {
        func sinceDecision(_ moment: Timestamp?) -> JSONValue {
            moment.map { Milliseconds.value($0.microseconds &- kill.decided.microseconds) } ?? .null
        }
        return [
            .string(gateway.gateway), JSONValue(gateway.enforced?.rfc3339), sinceDecision(gateway.enforced),
            JSONValue(gateway.lastAccepted?.rfc3339), sinceDecision(gateway.lastAccepted),
            gateway.lastCall.isEmpty ? .null : .string(gateway.lastCall),
        ]
    }
}
