import Foundation
import FoundationInternationalization
import JSON

/// What a pipeline must come to: the trace's own totals, counted from the rule and the sandbox's own price list, with
/// nothing of the pipeline's code. A metered row (hour × project × key × model × batch × tier) is rounded half-even to
/// the nano-dollar once; so is a billed row (UTC day × project × key × line item).
struct Expected: Sendable {
    let provider: Provider
    let from: CivilDay
    let to: CivilDay
    let zone: TimeZone
    /// What counts is what is published at this moment, Unix seconds.
    let now: Int64

    struct Totals: Sendable {
        var nanos: Int128 = 0
        var inputTokens: Int64 = 0
        var cachedInputTokens: Int64 = 0
        var outputTokens: Int64 = 0
        var requests: Int64 = 0
        var unpricedRequests: Int64 = 0

        mutating func add(_ row: Totals) {
            nanos += row.nanos
            inputTokens += row.inputTokens
            cachedInputTokens += row.cachedInputTokens
            outputTokens += row.outputTokens
            requests += row.requests
            unpricedRequests += row.unpricedRequests
        }

        var members: [JSONValue.Member] {
            [
                .init("cost", .string(Expected.text(nanos))), .init("cost_nano", .integer(nanos)),
                .init("input_tokens", .integer(inputTokens)),
                .init("cached_input_tokens", .integer(cachedInputTokens)),
                .init("output_tokens", .integer(outputTokens)), .init("requests", .integer(requests)),
                .init("unpriced_requests", .integer(unpricedRequests)),
            ]
        }
    }

    /// A grouping of the answer.
    enum By: String, CaseIterable, Sendable {
        case project, key, model, tier, batch, day
    }

    private struct Row: Hashable {
        let hour: Int64
        let project, key, model: String
        let batch: Bool
        let tier: String
    }

    func report(by: [By]) -> JSONValue {
        var groups: [[String]: Totals] = [:]
        var total = Totals()
        for (row, totals) in rows() {
            groups[by.map { value(of: $0, row) }, default: Totals()].add(totals)
            total.add(totals)
        }
        let lines = groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { key, totals in
            JSONValue.object(zip(by, key).map { .init($0.rawValue, .string($1)) } + totals.members)
        }
        let billed = self.billed
        return [
            "from": .string(from.description), "to": .string(to.description), "zone": .string(zone.identifier),
            // Named, because a static link leaves the zones' data out of a program that does not.
            "zone_data": .string(TimeZone.timeZoneDataVersion),
            "rows": .array(lines), "total": .object(total.members),
            "billed": ["days": .array(billed.days), "cost_nano": .integer(billed.nanos)],
        ]
    }

    private func value(of by: By, _ row: Row) -> String {
        switch by {
        case .project: row.project
        case .key: row.key
        case .model: row.model
        case .tier: row.tier
        case .batch: String(row.batch)
        case .day: localDay(row.hour).description
        }
    }

    private func localDay(_ time: Int64) -> CivilDay {
        let offset = Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time))))
        return CivilDay(number: (time + offset) / 86_400)
    }

    private func rows() -> [Row: Totals] {
        var rows: [Row: (totals: Totals, pico: Int128)] = [:]
        for entry in provider.week.entries
        where entry.kind == .completions || entry.kind == .embeddings {
            let hour = entry.time / 3_600 * 3_600
            guard provider.isVisible(entry, after: provider.usageDelay, at: now), (from...to).contains(localDay(hour)),
                let project = entry.dimensions[.project]?.string, let key = entry.dimensions[.apiKey]?.string,
                let model = entry.dimensions[.model]?.string, let tier = entry.dimensions[.tier]?.string
            else { continue }
            let batch = entry.dimensions[.batch] == .bool(true)
            let isEmbedding = entry.kind == .embeddings
            let isListed = entry.charges.allSatisfy(\.isListed)
            let row = Row(hour: hour, project: project, key: key, model: model, batch: batch, tier: tier)
            var sum = rows[row] ?? (Totals(), 0)
            sum.totals.add(
                Totals(
                    inputTokens: entry.values[0], cachedInputTokens: isEmbedding ? 0 : entry.values[2],
                    outputTokens: isEmbedding ? 0 : entry.values[1], requests: 1, unpricedRequests: isListed ? 0 : 1))
            if isListed { sum.pico += entry.charges.reduce(0) { $0 + Int128($1.pico) } }
            rows[row] = sum
        }
        return rows.mapValues { sum in
            var totals = sum.totals
            totals.nanos = Self.halfEven(sum.pico)
            return totals
        }
    }

    /// By UTC days that begin in the business days asked for.
    private var billed: (days: [JSONValue], nanos: Int128) {
        var days: [JSONValue] = []
        var sum: Int128 = 0
        for number in from.number...max(from.number, to.number) {
            let day = CivilDay(number: number)
            let lines = provider.bill(
                day.utcStart..<day.utcStart + 86_400, groupBy: [.project, .lineItem, .apiKey], now: now)
            let nanos = lines.reduce(Int128(0)) { $0 + Self.halfEven($1.pico) }
            days.append([
                "utc_day": .string(day.description), "cost_nano": .integer(nanos), "lines": .integer(lines.count),
            ])
            sum += nanos
        }
        return (days, sum)
    }

    /// Pico-dollars to nano-dollars, a half to the even one.
    static func halfEven(_ pico: Int128) -> Int128 {
        let (quotient, remainder) = pico.magnitude.quotientAndRemainder(dividingBy: 1_000)
        let up = remainder > 500 || remainder == 500 && !quotient.isMultiple(of: 2)
        let nanos = Int128(quotient + (up ? 1 : 0))
        return pico < 0 ? -nanos : nanos
    }

    static func text(_ nanos: Int128) -> String {
        let digits = String(nanos.magnitude)
        let padded = String(repeating: "0", count: max(0, 10 - digits.count)) + digits
        return (nanos < 0 ? "-" : "") + padded.dropLast(9) + "." + padded.suffix(9)
    }
}
