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

    /// `unpriced_rows` above zero says that the cost is not all: unpriced is not free.
    static func row(_ row: CostReport.Row, by: [CostDimension]) -> JSONValue {
        let dimensions = zip(by, row.dimensions).map { JSONValue.Member($0.column, value(of: $0, $1)) }
        var all = dimensions + members(row.sums) + [.init("unpriced_rows", .integer(row.sums.unpricedRows))]
        if !row.sums.unconverted.isEmpty { all.append(.init("unconverted", amounts(row.sums.unconverted))) }
        return .object(all)
    }

    private static func amounts(_ unconverted: [String: Int128]) -> JSONValue {
        .array(
            unconverted.sorted { $0.key < $1.key }.map { currency, nanos in
                [
                    "currency": .string(currency), "cost": .string(NanoText.text(nanos)),
                    "cost_nano": .integer(nanos),
                ]
            })
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
        if !report.converted.isEmpty {
            total.append(
                .init(
                    "converted",
                    .array(
                        report.converted.map { part in
                            [
                                "currency": .string(part.rate.currency), "amount": .string(NanoText.text(part.amount)),
                                "rate": .string(text(part.rate.rate)), "rate_from": .string("\(part.rate.from)"),
                                "cost": .string(NanoText.text(part.cost)), "cost_nano": .integer(part.cost),
                            ]
                        })))
        }
        if !report.total.unconverted.isEmpty { total.append(.init("unconverted", amounts(report.total.unconverted))) }
        return .object(total)
    }

    /// For machines: everything in full.
    static func table(_ report: CostReport, by: [CostDimension]) -> Table {
        let sums = members(CostSums()).map(\.name) + ["unpriced_rows", "unconverted"]
        var table = Table((by.map(\.column) + sums).map { Table.Column($0) })
        table.rows = report.rows.map { row in
            let unconverted = row.sums.unconverted
            return zip(by, row.dimensions).map { value(of: $0, $1) } + members(row.sums).map(\.value)
                + [.integer(row.sums.unpricedRows), unconverted.isEmpty ? .null : amounts(unconverted)]
        }
        return table
    }

    /// For people: rounded, and what has no price does not look as if it were free.
    static func readableTable(_ report: CostReport, by: [CostDimension], currency: String) -> Table {
        var table = Table(
            by.map { dimension in Table.Column(dimension.column) } + [
                Table.Column("cost", title: currency, .right), Table.Column("input_tokens", title: "input", .right),
                Table.Column("cached_input_tokens", title: "cached", .right),
                Table.Column("output_tokens", title: "output", .right), Table.Column("requests", .right),
            ])
        func cells(_ sums: CostSums) -> [JSONValue] {
            [
                .string(readable(sums)), .integer(sums.inputTokens), .integer(sums.cachedInputTokens),
                .integer(sums.outputTokens), .integer(sums.requests),
            ]
        }
        table.rows = report.rows.map { row in
            zip(by, row.dimensions).map { value(of: $0, $1) } + cells(row.sums)
        }
        table.footer = by.indices.map { $0 == 0 ? "total" : "" } + cells(report.total)
        return table
    }

    /// The cost for people: `12.35`, `unpriced`, `12.35 + unpriced`, `12.35 + 7.00 EUR`.
    static func readable(_ sums: CostSums) -> String {
        var parts = sums.unconverted.sorted { $0.key < $1.key }.map { "\(rounded($0.value)) \($0.key)" }
        if sums.unpricedRows > 0 { parts.append("unpriced") }
        if sums.cost != 0 || parts.isEmpty { parts.insert(rounded(sums.cost), at: 0) }
        return parts.joined(separator: " + ")
    }

    /// For people: cents are enough, but nothing that was spent looks like nothing. Half-even, on decimal digits.
    static func rounded(_ nanos: Int128) -> String {
        let exact = DecimalText(value: nanos, exponent: -9)
        for scale in [-2, -4, -9] {
            guard let whole = exact.rounded(toScale: scale) else { break }
            if whole != 0 || exact.value == 0 || scale == -9 { return fixed(whole, decimals: -scale) }
        }
        return NanoText.text(nanos)
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
        notes += report.converted.map { part in
            "Converted: \(NanoText.text(part.amount)) \(part.rate.currency) at \(text(part.rate.rate)) from "
                + "\(part.rate.from), \(NanoText.text(part.cost)) \(currency)."
        }
        notes += unconverted(report.total.unconverted, currency: currency)
        if report.daysAreApproximate {
            notes.append(
                "The zone's midnight lies within an hour of the provider: that hour counts for the day it begins in.")
        }
        return notes
    }

    static func unconverted(_ amounts: [String: Int128], currency: String) -> [String] {
        amounts.sorted { $0.key < $1.key }.map { other, nanos in
            "Not converted to \(currency), not in any cost: \(NanoText.text(nanos)) \(other); `rates` of config.yaml "
                + "name none for it."
        }
    }

    private static func text(_ rate: DecimalText) -> String {
        rate.exponent >= 0 || rate.exponent < -18
            ? "\(rate.value)e\(rate.exponent)" : fixed(rate.value, decimals: -rate.exponent)
    }
}
