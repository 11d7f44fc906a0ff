import Foundation
import JSON

/// One line of output.
struct Result {
    enum Bound {
        /// value ÷ limit must reach this.
        case ratioAtLeast(Double)
        /// value ÷ limit must not exceed this.
        case ratioAtMost(Double)
        /// The value itself must reach, or not exceed, this.
        case atLeast(Double)
        case atMost(Double)
    }

    let figure: String
    let value: Samples
    let unit: String
    let limit: Samples?
    let bound: Bound
    var note: String?

    private var ratio: Double? { limit.map { value.median / $0.median } }

    var met: Bool {
        switch bound {
        case .ratioAtLeast(let bound): (ratio ?? 0) >= bound
        case .ratioAtMost(let bound): (ratio ?? .infinity) <= bound
        case .atLeast(let bound): value.median >= bound
        case .atMost(let bound): value.median <= bound
        }
    }

    var line: String {
        var members: [JSONValue.Member] = [
            .init("figure", .string(figure)), .init("value", number(value.median)), .init("unit", .string(unit)),
            .init("limit", limit.map { number($0.median) } ?? .null), .init("ratio", ratio.map(number) ?? .null),
        ]
        switch bound {
        case .ratioAtLeast(let bound), .atLeast(let bound): members.append(.init("at_least", number(bound)))
        case .ratioAtMost(let bound), .atMost(let bound):
            members += [.init("at_least", .null), .init("at_most", number(bound))]
        }
        members += [
            .init("met", .bool(met)), .init("min", number(value.min)), .init("max", number(value.max)),
            .init("runs", .integer(value.values.count)),
        ]
        if let limit { members += [.init("limit_min", number(limit.min)), .init("limit_max", number(limit.max))] }
        if let note { members.append(.init("note", .string(note))) }
        return JSONValue.object(members).text
    }

    private func number(_ value: Double) -> JSONValue {
        .number(value.isFinite ? String(format: value.magnitude >= 100 ? "%.0f" : "%.4g", value) : "0")
    }
}
