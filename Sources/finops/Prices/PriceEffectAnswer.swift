import EventLog
import FinOps
import JSON
import Runtime

/// What other prices make of what the log has, read and shown.
struct PriceEffectAnswer: Sendable {
    let lines: [PriceEffect.Line]

    /// The days that a preview looks at, today included.
    static let days = 7

    /// The last days, as if the new prices had been in force.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func ofLastDays(
        _ changes: [FinOpsEvent], of catalogue: PriceCatalogue, today: Day, in log: some EventReader
    ) async throws -> PriceEffectAnswer {
        let scope = PriceScope(provider: "", model: nil, from: today.advanced(by: 1 - days), through: nil)
        return try await read(
            PriceEffect(from: catalogue, to: catalogue.with(changes), .asIfInForce), days: scope, in: log)
    }

    /// What a correction would change.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func ofCorrection(
        _ scope: PriceScope, _ changes: [FinOpsEvent], of catalogue: PriceCatalogue, in log: some EventReader
    ) async throws -> PriceEffectAnswer {
        try await read(
            PriceEffect(from: catalogue, to: catalogue.with(changes), .corrected(scope)), days: scope, in: log)
    }

    private static func read(
        _ effect: PriceEffect, days: PriceScope, in log: some EventReader
    ) async throws -> PriceEffectAnswer {
        var effect = effect
        for place in try await log.accountDays("usage-", days) {
            let day = try await log.fold(.usage(account: place.account, day: place.day), with: UsageDay.self).state
            for cell in day.cells.values { effect.add(cell.row) }
        }
        for place in try await log.accountDays("calls-", days) {
            try await log.forEach(in: .calls(account: place.account, day: place.day)) { event, _ in effect.add(event) }
        }
        return PriceEffectAnswer(lines: effect.lines)
    }

    var table: Table {
        var table = Table([
            .init("provider"), .init("model"), .init("basis"), .init("rows", .right), .init("affected", .right),
            .init("cost_now", title: "now", .right), .init("cost_then", title: "then", .right),
            .init("difference", .right), .init("cost_now_nano", .right), .init("cost_then_nano", .right),
            .init("difference_nano", .right), .init("unpriced_now", .right), .init("unpriced_then", .right),
        ])
        table.rows = lines.map { line in
            [.string(line.provider), .string(line.model), .string(line.isCalls ? "estimated" : "metered")]
                + Self.values(line)
        }
        return table
    }

    private static func values(_ line: PriceEffect.Line) -> [JSONValue] {
        let difference = line.then - line.now
        return [
            .integer(line.count), .integer(line.affected), .string(NanoText.text(line.now)),
            .string(NanoText.text(line.then)), .string(NanoText.text(difference)), .integer(line.now),
            .integer(line.then), .integer(difference), .integer(line.unpricedNow), .integer(line.unpricedThen),
        ]
    }

    /// The sums of one basis: metered rows and calls may be the same consumption, so they are never added up.
    private func total(isCalls: Bool) -> JSONValue {
        var sum = PriceEffect.Line(provider: "", model: "", isCalls: isCalls)
        for line in lines where line.isCalls == isCalls {
            sum.count += line.count
            sum.affected += line.affected
            sum.unpricedNow += line.unpricedNow
            sum.unpricedThen += line.unpricedThen
            sum.now += line.now
            sum.then += line.then
        }
        return .object(zip(table.columns.dropFirst(3), Self.values(sum)).map { JSONValue.Member($0.name, $1) })
    }

    var members: [JSONValue.Member] {
        [
            .init("effect", .array(table.objects)),
            .init("totals", ["metered": total(isCalls: false), "estimated": total(isCalls: true)]),
        ]
    }

    /// For people, one a model.
    var sentences: [String] {
        lines.map { line in
            let what = line.isCalls ? "calls" : "metered rows"
            return "  \(line.provider)/\(line.model): \(line.affected) of \(line.count) \(what), "
                + "\(NanoText.text(line.now)) → \(NanoText.text(line.then)) USD"
                + (line.unpricedNow == line.unpricedThen ? "" : ", unpriced \(line.unpricedNow) → \(line.unpricedThen)")
        }
    }
}
