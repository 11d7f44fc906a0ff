import FinOps
import JSON
import Projections
import Runtime

/// Costs as JSON and as tables.
enum CostDocument {
    static func members(_ sums: CostSums) -> [JSONValue.Member] {
        [
            .init("cost", .string(NanoText.text(sums.cost))), .init("cost_nano", .integer(sums.cost)),
            .init("input_tokens", .integer(sums.inputTokens)),
            .init("cached_input_tokens", .integer(sums.cachedInputTokens)),
            .init("output_tokens", .integer(sums.outputTokens)), .init("requests", .integer(sums.requests)),
        ]
    }

    static func row(_ row: CostReport.Row, by: [CostDimension]) -> JSONValue {
        let dimensions = zip(by, row.dimensions).map { JSONValue.Member($0.column, value(of: $0, $1)) }
        return .object(dimensions + members(row.sums))
    }

    private static func value(of dimension: CostDimension, _ text: String?) -> JSONValue {
        dimension == .batch ? text.map { .bool($0 == "true") } ?? .null : JSONValue(text)
    }

    static func total(_ report: CostReport) -> JSONValue {
        let unpriced = report.unpriced
        var total = members(report.total)
        total.append(
            .init(
                "unpriced",
                [
                    "rows": .integer(unpriced.rows), "input_tokens": .integer(unpriced.inputTokens),
                    "output_tokens": .integer(unpriced.outputTokens), "requests": .integer(unpriced.requests),
                ]))
        if !report.unconverted.isEmpty {
            let others = report.unconverted.sorted { $0.key < $1.key }.map { currency, nanos -> JSONValue in
                [
                    "currency": .string(currency), "cost": .string(NanoText.text(nanos)),
                    "cost_nano": .integer(nanos),
                ]
            }
            total.append(.init("unconverted", .array(others)))
        }
        return .object(total)
    }

    static func table(_ report: CostReport, by: [CostDimension], currency: String) -> Table {
        var table = Table(
            by.map { dimension in Table.Column(dimension.column) } + [
                Table.Column("cost", title: currency, .right, display: rounded), Table.Column("cost_nano", .right),
                Table.Column("input_tokens", title: "input", .right),
                Table.Column("cached_input_tokens", title: "cached", .right),
                Table.Column("output_tokens", title: "output", .right), Table.Column("requests", .right),
            ])
        table.rows = report.rows.map { row in
            zip(by, row.dimensions).map { value(of: $0, $1) } + members(row.sums).map(\.value)
        }
        table.footer = by.indices.map { $0 == 0 ? "total" : "" } + members(report.total).map(\.value)
        return table
    }

    /// For people: cents are enough, but nothing that was spent looks like nothing. Half-even, on decimal digits.
    @Sendable static func rounded(_ value: JSONValue) -> String {
        // What is no number is shown as it is.
        guard let text = value.string, let exact = try? DecimalText(text) else { return Table.plainText(value) }
        for scale in [-2, -4, -9] {
            guard let whole = exact.rounded(toScale: scale) else { break }
            if whole != 0 || exact.value == 0 || scale == -9 { return fixed(whole, decimals: -scale) }
        }
        return text
    }

    private static func fixed(_ value: Int128, decimals: Int) -> String {
        let digits = String(value.magnitude)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return (value < 0 ? "-" : "") + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// What a total leaves out, as sentences.
    static func notes(_ report: CostReport, currency: String) -> [String] {
        var notes: [String] = []
        if report.unpriced.rows > 0 {
            let unpriced = report.unpriced
            notes.append(
                "Unpriced, not in any cost: \(unpriced.rows) rows, \(unpriced.inputTokens) input and "
                    + "\(unpriced.outputTokens) output tokens; `finops price import FILE` prices them.")
        }
        for (other, nanos) in report.unconverted.sorted(by: { $0.key < $1.key }) {
            notes.append("Not converted to \(currency), not in any cost: \(NanoText.text(nanos)) \(other).")
        }
        if report.daysAreApproximate {
            notes.append(
                "The zone's midnight lies within an hour of the provider: that hour counts for the day it begins in.")
        }
        return notes
    }
}
