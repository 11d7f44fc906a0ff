import JSON
import Testing

/// Holds an answer of `reporter costs --json` against the oracle, row by row and to the nano-dollar.
func expectEqual(
    _ answer: JSONValue, _ expected: [[String?]: Oracle.Totals], by names: [String],
    sourceLocation: SourceLocation = #_sourceLocation
) {
    var found: [[String?]: Oracle.Totals] = [:]
    for row in answer["rows"]?.array ?? [] {
        found[names.map { row[$0]?.string }] = Oracle.Totals(row)
    }
    for (group, totals) in expected where found[group] != totals {
        Issue.record(
            "\(group): \(found[group].map { "\($0)" } ?? "missing"), expected \(totals)", sourceLocation: sourceLocation
        )
    }
    for group in found.keys where expected[group] == nil {
        Issue.record("\(group) was not expected: \(found[group]!)", sourceLocation: sourceLocation)
    }
    let sum = expected.values.reduce(into: Oracle.Totals()) { $0.add($1) }
    let total = answer["total"].map { Oracle.Totals($0) }
    #expect(total == sum, "the total", sourceLocation: sourceLocation)
}

extension Oracle.Totals {
    init(_ row: JSONValue) {
        func count(_ name: String) -> Int { Int(row[name]?.integer ?? -1) }
        self.init(
            nanos: count("cost_nano"), input: count("input_tokens"), cached: count("cached_input_tokens"),
            output: count("output_tokens"), requests: count("requests"))
    }

    var withoutCost: Oracle.Totals {
        var copy = self
        copy.nanos = 0
        return copy
    }

    mutating func add(_ other: Oracle.Totals) {
        nanos += other.nanos
        input += other.input
        cached += other.cached
        output += other.output
        requests += other.requests
    }
}
