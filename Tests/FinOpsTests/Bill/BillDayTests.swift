import EventLog
import FinOps
import TestSupport
import Testing

@Suite struct BillDayTests {
    private func statement(
        _ amount: String, _ item: String? = "gpt-4o-mini, input", currency: String = "usd", key: String? = nil,
        quantity: String? = nil
    ) -> BillLine {
        BillLine(
            bucketStart: hour("2026-11-20", 0), bucketEnd: hour("2026-11-21", 0), projectID: "proj_a", lineItem: item,
            apiKeyID: key, amountText: amount, currency: currency, quantityText: quantity, quantityUnit: "tokens")
    }

    private func observe(_ rows: [BillLine], at seconds: Int64 = 1_000) -> BillObservation {
        BillObservation(
            provider: "openai", account: "acme", observed: Timestamp(seconds: seconds), rows: rows,
            covered: [day("2026-11-20")])
    }

    private func events(_ rows: [BillLine]) -> [FinOpsEvent] { given(BillDay.self).when(observe(rows)).events() }

    private func recorded(_ event: FinOpsEvent?) -> WireBillRow? {
        if case .billRecorded(let event) = event { event.row } else { nil }
    }

    @Test(arguments: [
        ("0.127500000000000000000000000000000000", 127_500_000), ("0E-6176", 0), ("-3.5", -3_500_000_000),
        ("0.000000000500000000000", 0), ("0.0000000015", 2), ("0.00000000050000000000000000001", 1),
        ("1.2345E-7", 123), ("9223372036.854775807", Int64.max),
        ("0.333333333333333333333333333333333333333333", 333_333_333),
    ])
    func amountsAreRoundedHalfEvenOnce(_ text: String, _ nanos: Int64) {
        let row = recorded(events([statement(text)]).first)
        #expect(row?.amount.nanos == nanos)
        #expect(row?.amountTexts == [text])
        #expect(row?.amount.currency == "USD")
    }

    @Test func rowsOfEqualIdentityAreAddedAfterEachWasRounded() {
        let row = recorded(events([statement("0.0000000004"), statement("0.0000000004"), statement("1")]).first)
        #expect(row?.amount.nanos == 1_000_000_000)
        #expect(row?.amountTexts.count == 3)
    }

    @Test func theSameAmountWrittenOtherwiseIsNothingNew() {
        let history = events([statement("0.1275", quantity: "30")])
        given(BillDay.self, history).when(observe([statement("0.127500", quantity: "30.0")], at: 2_000)).thenNothing()
    }

    @Test func theSameAmountOfManyDigitsIsNothingNew() {
        let amount = "0.333333333333333333333333333333333333333333"
        given(BillDay.self, events([statement(amount)])).when(observe([statement(amount)], at: 2_000)).thenNothing()
    }

    @Test func aChangedAmountIsARestatement() {
        let restated = given(BillDay.self, events([statement("1")])).when(observe([statement("0.25")], at: 2_000))
            .events()
        guard case .billRestated(let event) = restated.first else {
            Issue.record("\(restated)")
            return
        }
        #expect(event.difference == usd(nanos: -750_000_000).wire)
        #expect(event.previous == usd(nanos: 1_000_000_000).wire)
    }

    @Test func aVanishedRowIsWithdrawnOnceAndMayComeBack() {
        let history = events([statement("1"), statement("2", "web search tool calls")])
        let withdrawn = given(BillDay.self, history).when(observe([statement("1")], at: 2_000)).events()
        guard case .billRestated(let event) = withdrawn.first else {
            Issue.record("\(withdrawn)")
            return
        }
        #expect(event.row.withdrawn && event.row.amount.nanos == 0)
        #expect(event.difference.nanos == -2_000_000_000)
        given(BillDay.self, history + withdrawn).when(observe([statement("1")], at: 3_000)).thenNothing()
        let back = given(BillDay.self, history + withdrawn).when(
            observe([statement("1"), statement("2", "web search tool calls")], at: 4_000)
        ).events()
        #expect(back.count == 1)
    }

    @Test func aChangedCurrencyIsARestatementWhoseDifferenceIsTheNewAmount() {
        let restated = given(BillDay.self, events([statement("1")])).when(
            observe([statement("0.9", currency: "EUR")], at: 2_000)
        ).events()
        guard case .billRestated(let event) = restated.first else {
            Issue.record("\(restated)")
            return
        }
        #expect(event.row.amount.currency == "EUR")
        #expect(event.difference.nanos == 900_000_000 && event.difference.currency == "EUR")
        #expect(event.previous.currency == "USD")
    }

    @Test(arguments: [
        ("1,5", "usd", "amount.value"), ("", "usd", "amount.value"), ("NaN", "usd", "amount.value"),
        ("9223372036.9", "usd", "amount.value"), ("1", "us", "amount.currency"), ("1", "", "amount.currency"),
    ])
    func aMalformedRowIsRefusedWithItsField(_ amount: String, _ currency: String, _ field: String) {
        let row = statement(amount, currency: currency)
        guard case .failure(let rejection) = given(BillDay.self).when(observe([row])).answer else {
            Issue.record("accepted")
            return
        }
        #expect(rejection.field == field && rejection.row == row)
    }

    @Test func twoCurrenciesOfOneIdentityAreRefused() {
        guard
            case .failure(let rejection) = given(BillDay.self).when(
                observe([statement("1"), statement("1", currency: "eur")])
            ).answer
        else {
            Issue.record("accepted")
            return
        }
        #expect(rejection.field == "amount.currency")
    }
}
