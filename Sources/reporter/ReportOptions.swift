import ArgumentParser
import FinOps
import Projections
import Runtime

/// How an answer is printed, and of what state of the log.
struct AnswerOptions: ParsableArguments {
    @OptionGroup var global: GlobalOptions

    @Flag(name: .customLong("csv"), help: "Print CSV; what state it is of is said on stderr.")
    var csv = false

    @Flag(name: .customLong("jsonl"), help: "Print one JSON object a row; what state they are of is said on stderr.")
    var jsonl = false

    @Flag(name: .customLong("no-wait"), help: "Do not wait for a running pipeline to reach the log's head.")
    var noWait = false

    func validate() throws {
        if [csv, global.json, jsonl].filter(\.self).count > 1 {
            throw ValidationError("give one of --json, --jsonl and --csv")
        }
    }

    var format: OutputFormat { global.json ? .json : jsonl ? .jsonl : csv ? .csv : .table }
}

/// Which days are asked for.
struct DayOptions: ParsableArguments {
    @Option(name: .customLong("from"), help: "First day, such as 2026-11-16.")
    var from: String?

    @Option(name: .customLong("to"), help: "Last day, inclusive; today if left out.")
    var to: String?

    @Option(name: .customLong("last"), help: "Days, weeks or months up to today: 30d, 4w, 3m.")
    var last: String?

    /// - Returns: nil if no day was named.
    func days(today: Day) throws -> ClosedRange<Day>? {
        if let last {
            guard from == nil, to == nil else { throw ValidationError("give --last or --from and --to, not both") }
            return try Self.span(last, today: today)
        }
        return try Self.days(from: from, to: to, today: today)
    }

    /// - Returns: nil if no day was named.
    static func days(from: String?, to: String?, today: Day) throws -> ClosedRange<Day>? {
        guard let from else {
            guard to == nil else { throw ValidationError("--to needs --from") }
            return nil
        }
        let first = try day(from, "--from")
        let end = try to.map { try day($0, "--to") } ?? max(today, first)
        guard first <= end else { throw ValidationError("--from \(first) is after --to \(end)") }
        return first...end
    }

    private static func day(_ text: String, _ option: String) throws -> Day {
        guard let day = Day(text) else {
            throw ValidationError("\(option): \"\(text)\" is not a day such as 2026-11-20")
        }
        return day
    }

    /// What a text such as `30d` means.
    static func span(_ text: String, today: Day) throws -> ClosedRange<Day> {
        guard let count = Int(text.dropLast()), (1...10_000).contains(count) else { throw badSpan(text) }
        switch text.last {
        case "d": return today.advanced(by: 1 - count)...today
        case "w": return today.advanced(by: 1 - 7 * count)...today
        case "m":
            let (year, month, day) = today.civil
            let index = year * 12 + month - 1 - count
            // The 31st of a shorter month is its successor's first: the span is never longer than asked.
            return Day(year: index / 12, month: index % 12 + 1, day: day).advanced(by: 1)...today
        default: throw badSpan(text)
        }
    }

    private static func badSpan(_ text: String) -> ValidationError {
        ValidationError("--last: \"\(text)\" is not a span such as 30d, 4w or 3m")
    }
}

/// What costs are asked for.
struct SelectionOptions: ParsableArguments {
    @OptionGroup var days: DayOptions

    @Option(name: .customLong("basis"), help: "metered, billed, estimated or best.")
    var basis = CostQuery.Basis.best

    @Option(name: .customLong("team"), help: "Only this team; \"none\" for what no team claims.")
    var team: String?

    @Option(name: .customLong("project"), help: "Only this project; \"none\" for what no project claims.")
    var project: String?

    @Option(name: .customLong("key"), help: "Only this key, by the provider's id; of calls by the gateway's.")
    var key: String?

    @Option(name: .customLong("model"), help: "Only this model.")
    var model: String?

    @Option(name: .customLong("provider"), help: "Only this provider.")
    var provider: String?

    @Option(name: .customLong("account"), help: "Only this account.")
    var account: String?

    @Option(name: .customLong("service"), help: "Only this service.")
    var service: String?

    @Option(name: .customLong("provider-project"), help: "Only this project of the provider.")
    var providerProject: String?

    @Option(
        name: .customLong("tier"), help: "Only this service tier; \"none\" for rows without one, as for every filter.")
    var tier: String?

    @Option(name: .customLong("batch"), help: "true, false or none.")
    var batch: String?

    @Option(name: .customLong("task-type"), help: "Only calls of this task type.")
    var taskType: String?

    @Option(name: .customLong("intent"), help: "Only calls of this intent.")
    var intent: String?

    @Option(name: .customLong("feature"), help: "Only calls of this feature.")
    var feature: String?

    func validate() throws {
        if let batch, !["true", "false", CostQuery.none].contains(batch) {
            throw ValidationError("--batch is true, false or none, not \"\(batch)\"")
        }
    }

    /// Says what was asked for and nobody has made.
    func warn(_ answering: Answering) throws {
        func made(_ name: String?) -> String? { name == CostQuery.none ? nil : name }
        try answering.warn([(.team, made(team)), (.project, made(project))])
    }

    func query(by: [CostDimension], _ answering: Answering) throws -> CostQuery {
        let today = answering.today
        var query = answering.query(by: by, try days.days(today: today) ?? DayOptions.span("30d", today: today))
        query.basis = basis
        let filters: [CostDimension: String?] = [
            .team: team, .project: project, .key: key, .model: model, .provider: provider, .account: account,
            .service: service, .providerProject: providerProject, .tier: tier, .batch: batch, .taskType: taskType,
            .intent: intent, .feature: feature,
        ]
        query.filters = filters.compactMapValues(\.self)
        return query
    }
}

extension CostQuery.Basis: ExpressibleByArgument {}
