import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// Usage events are read where they lie; SwiftProtobuf stays the definition.
@Suite struct RawUsageTests {
    private func armed() -> ThresholdWatch {
        var watch = ThresholdWatch(currency: .usd)
        _ = watch.evolve(
            Watched.threshold(.organisation, daily: 1_000, levels: [100]), recorded: Timestamp(seconds: 0))
        for day in watch.missingDays(for: day("2026-11-20")) { watch.insert([], for: day) }
        return watch
    }

    private func raw(_ event: FinOpsEvent) -> NewEvent { event.newEvent(id: .none, occurred: Timestamp(seconds: 0)) }

    @Test(arguments: [
        Watched.usage(1_000), Watched.restated(1_500, from: 500), Watched.usage(1_000, currency: "EUR"),
        .usageRepriced(
            .with {
                $0.row = Watched.row(
                    1_000, "2026-11-20", 3, key: "key_a", project: "proj_a", model: "gpt-5", currency: "USD")
                $0.difference = Watched.money(1_000)
                $0.observed = $0.row.bucketEnd
            }),
    ])
    func readingItWhereItLiesSaysTheSameAsDecodingIt(_ event: FinOpsEvent) throws {
        var decoded = armed()
        decoded.take(event, of: day("2026-11-20"))
        var read = armed()
        try read.take(raw: raw(event), of: day("2026-11-20"))
        #expect(read.settle(at: Position(1)) == decoded.settle(at: Position(1)))
    }

    @Test func damagedBytesAreRefusedAndNothingIsTaken() {
        let whole = raw(Watched.usage(2_000))
        var watch = armed()
        for length in whole.payload.indices {
            var cut = whole
            cut.payload = Array(whole.payload[..<length])
            // Some cuts leave a message: one that ends between two fields.
            guard (try? EventCatalogue.decode(cut)) == nil else { continue }
            #expect(throws: (any Error).self) { try watch.take(raw: cut, of: day("2026-11-20")) }
        }
        #expect(watch.settle(at: Position(1)) == [])
    }

    @Test func neighboursAreTakenUpToTheFirstThatCannotBeRead() throws {
        let (day, good) = (day("2026-11-20"), raw(Watched.usage(2_000)))
        var bad = good
        bad.payload = [0xFF]
        var alone = armed()
        for _ in 1...3 { try alone.take(raw: good, of: day) }
        var together = armed()
        try together.take(raw: good, of: day)
        #expect(together.take(raw: [good, good, bad, good].map(neighbour)[...], of: day) == 2)
        let found = together.settle(at: Position(1))
        #expect(!found.isEmpty)
        #expect(found == alone.settle(at: Position(1)))
    }

    @Test func neighboursOfADayThatNobodyAskedAboutAreLeftAlone() {
        var watch = armed()
        #expect(watch.take(raw: [neighbour(raw(Watched.usage(2_000)))], of: day("2026-11-20")) == 0)
        #expect(watch.settle(at: Position(1)) == [])
    }

    @Test func otherEventsAndLaterSchemasAreNotItsBusiness() {
        var later = raw(Watched.usage(1))
        later.schema = 2
        #expect(!ThresholdWatch.isReadable(later.type, schema: later.schema))
        #expect(!ThresholdWatch.isReadable(raw(Watched.tookForce()).type, schema: 1))
    }
}
