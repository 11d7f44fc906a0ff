import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime

/// Calls through the gateways, one row an attempt.
struct CallsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calls", abstract: "Calls through the gateways, one row an attempt, newest first.",
        discussion: """
            --last 1h, 30min, 7d or 2w chooses by when they started, --from and --to by business day; the last hour if \
            neither is given. At most --limit rows come; JSON's "next" is what --after takes for the following ones. \
            Token classes are disjoint: "uncached_input_tokens", "cached_input_tokens", "cache_write_tokens", \
            "output_tokens" and those of audio and images sum to all tokens; "reasoning_tokens" lie within the output. \
            "cost" is null where there is no price ("unpriced_reason"). If other prices changed it, \
            "repriced_position" is the event and "corrected_from" what it was recorded with.
            "usage_estimated" says why tokens were counted by the gateway; null: the provider told them. "ended" is \
            complete, client-gone, request-unfinished (an upload that came too slowly or broke its form), \
            upstream-cut, timed-out, gateway-stopped, gateway-killed or unreachable. "team" is \
            the project's in that hour. JSON's "caller_supplied" names the fields that are the caller's word, which \
            nobody has checked.
            Example: reporter calls --last 1h --json
            Example: reporter calls --from 2026-11-20 --to 2026-11-20 --project chat --limit 100
            """)

    @OptionGroup var options: AnswerOptions
    @OptionGroup var span: CallSpanOptions
    @Option(name: .customLong("project"), help: "Only calls that this project pays for.") var project: String?
    @Option(name: .customLong("key"), help: "Only calls with this key of the gateway, by its id.") var key: String?
    @Option(name: .customLong("limit"), help: "At most this many, up to 10000.") var limit = 1_000
    @Option(name: .customLong("after"), help: "Go on behind an answer's \"next\".") var after: String?

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 10000") }
        guard after == nil || cursor != nil else {
            throw ValidationError("--after takes what an answer's \"next\" says")
        }
    }

    private var cursor: CallQuery.Cursor? { after.flatMap { CallQuery.Cursor($0) } }

    func run() async throws {
        let answering = try await Answering.open(options, about: .calls)
        let query = CallQuery(
            span: try span.span(answering), project: project, key: key, limit: limit, after: cursor)
        try answering.warn([(.project, project), (.gatewayKey, key)])
        let (calls, next) = try answering.reader.calls(query)
        switch options.format {
        case .json:
            let members: [JSONValue.Member] = [
                .init("calls", .array(Self.table(calls).objects)), .init("next", JSONValue(next?.text)),
                .init("caller_supplied", .array(Self.callerSupplied.map { .string($0) })),
            ]
            try Output.line(JSONValue.object(try answering.envelope() + members + (try answering.freshness())).text)
        case let format:
            try (format == .table ? Self.readableTable(calls, answering.reader.calendar) : Self.table(calls))
                .write(format)
            try answering.tell(format, next.map { ["More: --after \($0.text)"] } ?? [])
        }
    }

    static func table(_ calls: [CallEntry]) -> Table {
        var table = Table(
            (context + tokenClasses.map { "\($0.name)_tokens" } + ["reasoning_tokens"] + outcome).map {
                Table.Column($0)
            })
        table.rows = calls.map { call in
            contextValues(call)
                + tokenClasses.map { token in
                    call.tokens.map { .integer($0.counts[token.token] ?? 0) } ?? .null
                } + [.integer(call.reasoningTokens)] + outcomeValues(call)
        }
        return table
    }

    private static let tokenClasses: [(name: String, token: TokenClass)] = [
        ("uncached_input", .input), ("cached_input", .cachedInput), ("cache_write", .cacheWrite),
        ("cache_write_1h", .cacheWrite1h), ("output", .output),
        ("audio_input", .audioInput), ("cached_audio_input", .cachedAudioInput), ("audio_output", .audioOutput),
        ("image_input", .imageInput), ("cached_image_input", .cachedImageInput), ("image_output", .imageOutput),
    ]

    private static let callerSupplied = ["task_type", "intent", "feature", "user", "metadata"]
    private static let context =
        ["call", "attempt", "gateway", "key", "project", "team"] + callerSupplied + [
            "provider", "account", "upstream", "provider_key", "route", "service", "model_asked", "model",
            "service_tier", "batch",
        ]

    private static func contextValues(_ call: CallEntry) -> [JSONValue] {
        [
            .string(call.call), .integer(call.attempt), .string(call.gateway), JSONValue(call.key),
            JSONValue(call.project), JSONValue(call.team), JSONValue(call.taskType), JSONValue(call.intent),
            JSONValue(call.feature), JSONValue(call.user), call.metadata ?? .null, .string(call.provider),
            .string(call.account), JSONValue(call.upstream), JSONValue(call.providerKey), JSONValue(call.route),
            JSONValue(call.service),
            JSONValue(call.modelAsked), JSONValue(call.model), JSONValue(call.serviceTier), .bool(call.batch),
        ]
    }

    private static let outcome = [
        "images", "characters", "seconds", "cost", "cost_nano", "currency", "price_version", "price_estimated",
        "unpriced_reason", "basis", "usage_estimated", "status", "ended", "started", "first_byte_ms", "duration_ms",
        "position", "corrected_from", "corrected_from_nano", "repriced_position",
    ]

    private static func outcomeValues(_ call: CallEntry) -> [JSONValue] {
        [
            .integer(call.images), .integer(call.characters), .integer(call.seconds),
            JSONValue(call.cost.map { NanoText.text(Int128($0)) }), call.cost.map { .integer($0) } ?? .null,
            JSONValue(call.currency), JSONValue(call.priceVersion), .bool(call.isPriceEstimated),
            JSONValue(call.unpricedReason), .string(CostBasis.estimated.name), JSONValue(call.usageEstimated),
            .integer(call.status), JSONValue(call.ended), .string(call.started.rfc3339),
            call.firstByteMicroseconds.map(Milliseconds.value) ?? .null,
            call.durationMicroseconds.map(Milliseconds.value) ?? .null,
            .integer(call.position), JSONValue(call.correctedFrom.map { NanoText.text(Int128($0)) }),
            call.correctedFrom.map { .integer($0) } ?? .null, call.repriced.map { .integer($0) } ?? .null,
        ]
    }

    /// For people: who, what, how much and how it ended.
    private static func readableTable(_ calls: [CallEntry], _ calendar: BusinessCalendar) -> Table {
        var table = Table([
            Table.Column("started"), Table.Column("project"), Table.Column("task_type", title: "task"),
            Table.Column("model"), Table.Column("input_tokens", title: "input", .right),
            Table.Column("output_tokens", title: "output", .right), Table.Column("cost", .right),
            Table.Column("status", .right), Table.Column("ended"), Table.Column("duration_ms", title: "ms", .right),
            Table.Column("call"),
        ])
        table.rows = calls.map { call in
            let counts = call.tokens?.counts
            func sum(_ isOutput: Bool) -> JSONValue {
                counts.map { counts in
                    .integer(counts.reduce(0) { $0 + ($1.key.isOutput == isOutput ? $1.value : 0) })
                } ?? .null
            }
            return [
                .string(ZonedHour.text(at: call.started, calendar)), JSONValue(call.project), JSONValue(call.taskType),
                JSONValue(call.model), sum(false), sum(true),
                .string(call.cost.map { CostDocument.rounded(Int128($0)) } ?? "unpriced"), .integer(call.status),
                JSONValue(call.ended), call.durationMicroseconds.map { .integer($0 / 1_000) } ?? .null,
                .string(call.call),
            ]
        }
        return table
    }
}

extension TokenClass {
    fileprivate var isOutput: Bool { [.output, .audioOutput, .imageOutput].contains(self) }
}

/// A time in milliseconds, exact to the microsecond.
enum Milliseconds {
    static func value(_ microseconds: Int64) -> JSONValue {
        let (whole, rest) = microseconds.magnitude.quotientAndRemainder(dividingBy: 1_000)
        let digits = String(rest)
        let fraction = String(repeating: "0", count: 3 - digits.count) + digits
        return .number("\(microseconds < 0 ? "-" : "")\(whole).\(fraction)")
    }
}

/// When calls started.
struct CallSpanOptions: ParsableArguments {
    @Option(name: .customLong("last"), help: "Up to now: 30min, 1h, 7d, 2w.")
    var last: String?

    @Option(name: .customLong("from"), help: "First business day, such as 2026-11-16.")
    var from: String?

    @Option(name: .customLong("to"), help: "Last day, inclusive; today if left out.")
    var to: String?

    func span(_ answering: Answering) throws -> Range<Timestamp> {
        guard let chosen = try DayOptions.days(from: from, to: to, today: answering.today) else {
            // What started since then: clocks of gateways may be a little ahead of ours.
            let seconds = try Self.seconds(last ?? "1h")
            return answering.clock.now().advanced(bySeconds: -seconds)..<Timestamp(microseconds: .max)
        }
        guard last == nil else { throw ValidationError("give --last or --from and --to, not both") }
        return answering.reader.calendar.span(from: chosen.lowerBound, through: chosen.upperBound)
    }

    static func seconds(_ text: String) throws -> Int64 {
        let units: [(String, Int64)] = [("min", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)]
        for (unit, seconds) in units where text.hasSuffix(unit) {
            if let count = Int64(text.dropLast(unit.count)), (1...100_000).contains(count) { return count * seconds }
        }
        throw ValidationError("--last: \"\(text)\" is not a span such as 30min, 1h, 7d or 2w")
    }
}
