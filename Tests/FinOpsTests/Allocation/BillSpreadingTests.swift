import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct BillSpreadingTests {
    private let today = day("2026-11-20")

    private func bill(
        _ nanos: Int64, _ item: String? = nil, project: String? = "p", key: String? = nil
    ) -> WireBillRow {
        var row = WireBillRow()
        (row.provider, row.account, row.bucketStart) = ("openai", "acme", hour("2026-11-20", 0))
        row.bucketEnd = row.bucketStart + 86_400
        row.amount = usd(nanos: nanos).wire
        if let project { row.projectID = project }
        if let item { row.lineItem = item }
        if let key { row.apiKeyID = key }
        return row
    }

    private func cell(
        _ at: Int64, _ key: String?, _ model: String?, cost: Int64?, tokens: Int64 = 1, project: String? = "p"
    ) -> MeteredCell {
        MeteredCell(
            hour: hour("2026-11-20", at), projectID: project, apiKeyID: key, model: model, costNanos: cost,
            tokens: tokens)
    }

    private func spread(_ row: WireBillRow, _ cells: [MeteredCell]) -> WireBillAllocated {
        BillSpreading(day: today, cells: cells).allocate(row)
    }

    /// `hour/key/model=nanos`, in order.
    private func parts(_ allocation: WireBillAllocated) -> [String] {
        allocation.parts.map {
            let at = ($0.hour - hour("2026-11-20", 0)) / 3_600
            return "\(at)/\($0.hasApiKeyID ? $0.apiKeyID : "-")/\($0.hasModel ? $0.model : "-")=\($0.nanos)"
        }
    }

    @Test func aLineThatNamesAMeteredModelIsSpreadOverItsCellsByCost() {
        let cells = [
            cell(1, "a", "gpt-4o-mini", cost: 30), cell(1, "b", "gpt-4o-mini", cost: 10),
            cell(5, "a", "gpt-4o-mini", cost: 60), cell(5, "a", "gpt-4o", cost: 1_000),
            cell(7, "z", "gpt-4o-mini", cost: 500, project: "q"),
        ]
        let allocation = spread(bill(1_000, "priority | gpt-4o-mini, cached input, long context"), cells)
        #expect(allocation.rule == "model-cost")
        #expect(parts(allocation) == ["1/a/gpt-4o-mini=300", "1/b/gpt-4o-mini=100", "5/a/gpt-4o-mini=600"])
        #expect(allocation.amount.nanos == 1_000 && allocation.day == "2026-11-20")
    }

    @Test func theLongestModelNameCountsAndOnlyAWholeOne() {
        let cells = [cell(1, "a", "gpt-4o", cost: 1), cell(2, "a", "gpt-4o-mini", cost: 1)]
        #expect(parts(spread(bill(7, "gpt-4o-mini, input"), cells)) == ["2/a/gpt-4o-mini=7"])
        #expect(parts(spread(bill(7, "gpt-4o"), cells)) == ["1/a/gpt-4o=7"])
        #expect(spread(bill(7, "gpt-4o-nano, input"), cells).rule == "project-cost")
        #expect(spread(bill(7, "web search tool calls"), cells).rule == "project-cost")
    }

    @Test func anUnpricedModelIsSpreadByTokens() {
        let cells = [cell(1, "a", "new", cost: nil, tokens: 1), cell(2, nil, "new", cost: nil, tokens: 3)]
        let allocation = spread(bill(-400, "new, output"), cells)
        #expect(allocation.rule == "model-tokens")
        #expect(parts(allocation) == ["1/a/new=-100", "2/-/new=-300"])
    }

    @Test func whatNamesNoModelFollowsTheProjectsHoursWithoutKeyOrModel() {
        let cells = [cell(3, "a", "x", cost: 1), cell(3, "b", "y", cost: 2), cell(9, "a", "x", cost: 1)]
        let allocation = spread(bill(8, "web search tool calls"), cells)
        #expect(allocation.rule == "project-cost")
        #expect(parts(allocation) == ["3/-/-=6", "9/-/-=2"])
    }

    @Test func withoutUsageItIsEvenAndTheRemainderGoesToTheFirstHours() {
        let allocation = spread(bill(50, "x, input"), [])
        #expect(allocation.rule == "even")
        #expect(allocation.parts.map(\.nanos) == [3, 3] + Array(repeating: 2, count: 22))
        #expect(allocation.parts.map(\.nanos).reduce(0, +) == 50)
    }

    @Test func aRowWithAKeyGoesToThatKeyAndNoOther() {
        let cells = [
            cell(1, "a", "m", cost: 1), cell(2, "b", "m", cost: 1), cell(4, "a", "m", cost: 3),
            cell(6, "a", "n", cost: 6),
        ]
        let named = spread(bill(40, "m, input", key: "a"), cells)
        #expect(named.rule == "key")
        #expect(parts(named) == ["1/a/m=10", "4/a/m=30"])
        #expect(parts(spread(bill(10, "tool calls", key: "a"), cells)) == ["1/a/-=1", "4/a/-=3", "6/a/-=6"])
        #expect(parts(spread(bill(11, "m, input", key: "silent"), cells)).first == "1/silent/m=1")
        #expect(spread(bill(24, nil, key: "silent"), []).parts.allSatisfy { $0.apiKeyID == "silent" && $0.nanos == 1 })
    }

    @Test func aRowWithoutAProjectIsUnallocated() {
        let allocation = spread(bill(24, "gpt-4o, input", project: nil), [cell(1, "a", "gpt-4o", cost: 1)])
        #expect(allocation.rule == "unallocated")
        #expect(allocation.parts.count == 24)
        #expect(allocation.parts.allSatisfy { !$0.hasApiKeyID && !$0.hasModel })
        #expect(!allocation.hasProjectID)
    }

    @Test func usageThatWasAllForNothingCountsByRequestsThenByCell() {
        let free = MeteredCell(
            hour: hour("2026-11-20", 2), projectID: "p", apiKeyID: "a", model: "m", costNanos: 0, tokens: 0, requests: 3
        )
        #expect(parts(spread(bill(9, "m"), [free])) == ["2/a/m=9"])
    }

    @Test(arguments: 1...150)
    func partsAlwaysSumToTheWhole(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let names: [String?] = ["a", "b", "c", nil]
        let cells = (0..<Int.random(in: 0...80, using: &random)).map { _ in
            cell(
                Int64.random(in: 0..<24, using: &random), names.randomElement(using: &random) ?? nil,
                ["m", "m-mini", nil].randomElement(using: &random) ?? nil,
                cost: Bool.random(using: &random) ? Int64.random(in: 0...(.max / 100), using: &random) : nil,
                tokens: Int64.random(in: 0...(.max), using: &random),
                project: ["p", "q", nil].randomElement(using: &random) ?? nil)
        }
        for item in ["m, input", "m-mini, output", "other", nil] as [String?] {
            let amount = Int64.random(in: (.min)...(.max), using: &random)
            let row = bill(
                amount, item, project: ["p", "q", nil].randomElement(using: &random) ?? nil,
                key: ["a", nil].randomElement(using: &random) ?? nil)
            let allocation = spread(row, cells)
            #expect(allocation.parts.map(\.nanos).reduce(0, &+) == amount, "seed \(seed)")
            #expect(allocation.parts.allSatisfy { $0.nanos.signum() == amount.signum() }, "seed \(seed)")
            #expect(spread(row, cells.shuffled(using: &random)) == allocation, "seed \(seed)")
        }
    }
}
