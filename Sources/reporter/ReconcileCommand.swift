import ArgumentParser
import EventLog
import FinOps
import JSON
import Projections
import Runtime
import Storage

/// Estimates of the gateways, usage and bills held against each other.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "What gateways estimated, providers metered and billed, by key, model and day, and why it differs.",
        discussion: """
            Days are UTC's, as usage and bills are; the last seven unless others are named. Amounts are US dollars, \
            which price lists are in. "estimated_to_metered" and "metered_to_billed" are the second less the first, \
            and null where there is nothing to compare with. Causes are found by pricing the quantities again: cache, \
            tier and batch (the same tokens counted elsewhere), day_boundary (in the hours around midnight), \
            unmetered_traffic (requests that no gateway made, or a bill for what no usage tells), price (the same \
            quantities at other prices) and rounding. What cannot be told is "unexplained". "unexplained_percent" is \
            without signs, of the best statement. A bill that names no key or model is spread over the day's usage by \
            its cost. --check ends with 3 above a limit.
            Example: reporter reconcile --from 2026-11-16 --to 2026-11-20 --json
            Example: reporter reconcile --last 7d --check 1%
            """)

    @OptionGroup var options: AnswerOptions
    @OptionGroup var days: DayOptions
    @Option(name: .customLong("check"), help: "End with exit code 3 if more than this is unexplained, such as 1%.")
    var check: String?

    func validate() throws { _ = try limit }

    /// In per cent.
    private var limit: DecimalText? {
        get throws {
            guard let check else { return nil }
            let number = check.hasSuffix("%") ? String(check.dropLast()) : check
            // `try?`: the message says what is expected.
            guard let limit = try? DecimalText(number), limit.value >= 0, (-6...2).contains(limit.exponent) else {
                throw ValidationError("--check takes a percentage such as 1% or 0.5%")
            }
            return limit
        }
    }

    func run() async throws {
        let answering = try await Answering.open(options)
        let today = Day(utc: answering.clock.now())
        let span = try days.days(today: today) ?? DayOptions.span("7d", today: today)
        let rates = answering.currency == "USD" ? answering.rates : ExchangeRates()
        let log = SQLiteEventReader(files: LogFiles(database: answering.directory.logDatabase))
        let found = try answering.reader.reconciliation(
            from: span.lowerBound, through: span.upperBound, try await PriceCatalogue.read(from: log), rates: rates)
        let document = ReconcileDocument(found: found)
        switch options.format {
        case .json:
            let members: [JSONValue.Member] = [
                .init("from", .string("\(span.lowerBound)")), .init("to", .string("\(span.upperBound)")),
                .init("rows", .array(found.days.map(document.row))), .init("totals", document.totals),
            ]
            try Output.line(JSONValue.object(try answering.envelope() + members + (try answering.freshness())).text)
        case let format:
            try (format == .table ? document.readableTable : document.table).write(format)
            try answering.tell(format, ["Unexplained: \(document.percent) % of \(NanoText.text(found.whole)) USD."])
        }
        guard let limit = try limit, document.exceeds(limit) else { return }
        throw CommandFailure(
            .problemFound, "\(document.percent) % of the costs are unexplained, more than \(check ?? "")",
            hint: "see which: reporter reconcile --json --dir \(answering.directory.path)")
    }
}

/// A reconciliation as JSON and as tables.
struct ReconcileDocument {
    let found: Reconciliation

    var percent: String { Self.percent(found.unexplained, of: found.whole) }

    /// Whether more per cent than this is unexplained, exactly.
    func exceeds(_ limit: DecimalText) -> Bool {
        // unexplained × 100 > limit × whole, both over 10^6.
        guard let scaled = limit.rounded(toScale: -6) else { return false }
        return found.unexplained * 100_000_000 > scaled * found.whole
    }

    /// With four decimals, rounded up: what is unexplained never looks like nothing.
    private static func percent(_ unexplained: Int128, of whole: Int128) -> String {
        if unexplained == 0 { return "0.0000" }
        guard whole != 0 else { return "100.0000" }
        let scaled = Int128(unexplained.magnitude) * 1_000_000
        let (quotient, rest) = scaled.quotientAndRemainder(dividingBy: Int128(whole.magnitude))
        let units = quotient + (rest == 0 ? 0 : 1)
        let digits = String(units % 10_000)
        return "\(units / 10_000)." + String(repeating: "0", count: 4 - digits.count) + digits
    }

    // MARK: JSON

    func row(_ day: ReconciledDay) -> JSONValue {
        .object(
            Self.subject(day) + amounts(day.estimated, day.metered, day.billed) + [
                .init("calls", .integer(day.calls)), .init("requests", .integer(day.requests)),
                .init("estimated_to_metered", day.toMetered.map { difference($0, of: day.metered ?? 0) } ?? .null),
                .init("metered_to_billed", day.toBilled.map { difference($0, of: day.billed ?? 0) } ?? .null),
            ])
    }

    var totals: JSONValue {
        .object(
            [.init("currency", "USD")] + amounts(found.estimated, found.metered, found.billed) + [
                .init("estimated_to_metered", difference(found.toMetered, of: found.metered)),
                .init("metered_to_billed", difference(found.toBilled, of: found.billed)),
                .init("unexplained", .string(NanoText.text(found.unexplained))),
                .init("unexplained_nano", .integer(found.unexplained)),
                .init("unexplained_percent", .number(percent)),
            ])
    }

    private static func subject(_ day: ReconciledDay) -> [JSONValue.Member] {
        [
            .init("provider", .string(day.provider)), .init("account", .string(day.account)),
            .init("key", JSONValue(day.key)), .init("model", JSONValue(day.model)), .init("day", .string("\(day.day)")),
        ]
    }

    private func amounts(_ estimated: Int128?, _ metered: Int128?, _ billed: Int128?) -> [JSONValue.Member] {
        [("estimated", estimated), ("metered", metered), ("billed", billed)].flatMap { name, amount in
            [
                JSONValue.Member(name, JSONValue(amount.map { NanoText.text($0) })),
                JSONValue.Member("\(name)_nano", amount.map { .integer($0) } ?? .null),
            ]
        }
    }

    private func difference(_ difference: Difference, of whole: Int128) -> JSONValue {
        let causes = DifferenceCause.allCases.map { cause in
            JSONValue.Member(cause.column, .string(NanoText.text(difference.causes[cause] ?? 0)))
        }
        return .object([
            .init("difference", .string(NanoText.text(difference.amount))),
            .init("difference_nano", .integer(difference.amount)), .init("causes", .object(causes)),
            .init("unexplained", .string(NanoText.text(difference.unexplained))),
            .init("unexplained_nano", .integer(difference.unexplained)),
            .init("unexplained_percent", .number(Self.percent(difference.unexplained, of: whole))),
        ])
    }

    // MARK: Tables

    /// For machines: a row a day, the two steps' columns one after another.
    var table: Table {
        let steps = ["estimated_to_metered", "metered_to_billed"].flatMap { step in
            [step] + DifferenceCause.allCases.map { "\(step)_\($0.column)" } + ["\(step)_unexplained"]
        }
        let subject = [
            "provider", "account", "key", "model", "day", "estimated", "metered", "billed", "calls", "requests",
        ]
        var table = Table((subject + steps).map { Table.Column($0) })
        table.rows = found.days.map { day in
            Self.subject(day).map(\.value)
                + [day.estimated, day.metered, day.billed].map { JSONValue($0.map { NanoText.text($0) }) }
                + [.integer(day.calls), .integer(day.requests)]
                + [day.toMetered, day.toBilled].flatMap(Self.columns)
        }
        return table
    }

    private static func columns(_ difference: Difference?) -> [JSONValue] {
        guard let difference else { return Array(repeating: .null, count: DifferenceCause.allCases.count + 2) }
        let causes = DifferenceCause.allCases.map { difference.causes[$0] ?? 0 }
        return ([difference.amount] + causes + [difference.unexplained]).map { .string(NanoText.text($0)) }
    }

    var readableTable: Table {
        var table = Table([
            Table.Column("day"), Table.Column("account"), Table.Column("key"), Table.Column("model"),
            Table.Column("estimated", .right), Table.Column("metered", .right), Table.Column("billed", .right),
            Table.Column("why", title: "estimated → metered → billed"), Table.Column("unexplained", .right),
        ])
        table.rows = found.days.map { day in
            [
                .string("\(day.day)"), .string("\(day.provider)/\(day.account)"), JSONValue(day.key),
                JSONValue(day.model), rounded(day.estimated), rounded(day.metered), rounded(day.billed),
                .string([day.toMetered, day.toBilled].map(words).joined(separator: " → ")),
                rounded((day.toMetered?.unexplained ?? 0) + (day.toBilled?.unexplained ?? 0)),
            ]
        }
        return table
    }

    private func rounded(_ amount: Int128?) -> JSONValue { JSONValue(amount.map(CostDocument.rounded)) }

    private func words(_ difference: Difference?) -> String {
        guard let difference else { return "–" }
        let causes = DifferenceCause.allCases.compactMap { cause in
            difference.causes[cause].map { "\(cause.rawValue) \(CostDocument.rounded($0))" }
        }
        return causes.isEmpty ? (difference.amount == 0 ? "equal" : "unexplained") : causes.joined(separator: ", ")
    }
}

extension DifferenceCause {
    /// Its name in answers.
    fileprivate var column: String { rawValue.replacing("-", with: "_") }
}
