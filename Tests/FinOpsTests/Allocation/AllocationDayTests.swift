import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct AllocationDayTests {
    private let place = AccountDay(account: "acme", day: day("2026-11-20"))

    private func bill(_ rows: [(project: String?, nanos: Int64)], withdrawn: Bool = false) -> BillDay.State {
        var state = BillDay.initialState
        for (project, nanos) in rows {
            var row = WireBillRow()
            (row.provider, row.account, row.bucketStart) = ("openai", "acme", hour("2026-11-20", 0))
            if let project { row.projectID = project }
            row.amount = usd(nanos: withdrawn ? 0 : nanos).wire
            row.withdrawn = withdrawn
            var event = WireBillRecorded()
            event.row = row
            BillDay.evolve(&state, .billRecorded(event))
        }
        return state
    }

    private func command(_ bill: BillDay.State, _ cells: [MeteredCell] = [], due: Bool) -> AllocationDay.Command {
        .init(account: place, bill: bill, cells: cells, isDue: due)
    }

    private func names(_ events: [FinOpsEvent]) -> [String] { events.map { $0.type.text } }

    @Test func aBillIsSpreadAtOnceAndCountsWhenItIsDue() {
        let bill = bill([("p", 24), (nil, 48)])
        let early = given(AllocationDay.self).when(command(bill, due: false)).events()
        #expect(names(early) == ["bill.allocated", "bill.allocated"])
        let due = given(AllocationDay.self, early).when(command(bill, due: true)).events()
        #expect(names(due) == ["bill.took-force", "bill.took-force"])
        guard case .billTookForce(let first) = due.first, case .billTookForce(let second) = due.last else {
            Issue.record("\(due)")
            return
        }
        #expect(first.projectID == "p" && !second.hasProjectID)
        given(AllocationDay.self, early + due).when(command(bill, due: true)).thenNothing()
    }

    @Test func onlyWhatChangedIsStatedAgain() {
        let bill = bill([("p", 24), ("q", 48)])
        let history = given(AllocationDay.self).when(command(bill, due: true)).events()
        let cell = MeteredCell(hour: hour("2026-11-20", 3), projectID: "p", costNanos: 1, tokens: 1)
        let changed = given(AllocationDay.self, history).when(command(bill, [cell], due: true)).events()
        guard case .billAllocated(let event) = changed.first else {
            Issue.record("\(changed)")
            return
        }
        #expect(changed.count == 1)
        #expect(event.projectID == "p" && event.rule == "project-cost")
    }

    @Test func aWithdrawnBillLeavesForceAndItsAllocationIsEmpty() {
        let history = given(AllocationDay.self).when(command(bill([("p", 24)]), due: true)).events()
        let left = given(AllocationDay.self, history).when(command(bill([("p", 24)], withdrawn: true), due: true))
            .events()
        #expect(names(left) == ["bill.allocated", "bill.left-force"])
        guard case .billAllocated(let event) = left.first else {
            Issue.record("\(left)")
            return
        }
        #expect(event.amount.nanos == 0 && event.parts.isEmpty)
    }

    @Test func noRowIsNoStatement() {
        given(AllocationDay.self).when(command([:], due: true)).thenNothing()
        given(AllocationDay.self).when(command(bill([("p", 1)], withdrawn: true), due: true)).thenNothing()
    }

    @Test func aDayIsDueWhenItHasEndedAndTheGraceHasPassed() {
        let force = BillForce()
        #expect(!force.isDue(day("2026-11-20"), at: Timestamp(seconds: hour("2026-11-22", 0) - 1)))
        #expect(force.isDue(day("2026-11-20"), at: Timestamp(seconds: hour("2026-11-22", 0))))
        #expect(
            BillForce(billedAfterSeconds: 0).isDue(day("2026-11-20"), at: Timestamp(seconds: hour("2026-11-21", 0))))
    }
}
