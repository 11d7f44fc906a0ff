import EventLog
import FinOps
import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@testable import Projections

@Suite struct GenerationTests {
    private func variedLog(zone: String = "Asia/Seoul") async throws -> ScenarioLog {
        let log = ScenarioLog(zone: zone)
        var random = SeededGenerator(seed: 10)
        for round in 0..<6 {
            let rows = (0..<60).map { index in
                usage(
                    "2026-11-\(12 + round)T\(index % 24)", key: "key-\(index % 5)", model: "model-\(index % 3)",
                    project: index % 4 == 0 ? nil : "proj-\(index % 2)",
                    nanos: .random(in: -5...9_000_000_000, using: &random))
            }
            // A row of equal identity may come twice: the later statement counts.
            try await log.append(rows.map { recorded($0) })
            try await log.append([restated(rows[0], from: rows[3])])
            try await log.append([
                assigned(
                    key: "key-\(round % 5)", team: "team-\(round % 2)", project: "p-\(round)",
                    from: round % 2 == 0 ? nil : seconds("2026-11-13T07"), version: UInt64(round + 1)),
                allocated(
                    day: "2026-11-12", project: "proj-1", item: "model-1", nanos: Int64(round * 10),
                    parts: [("2026-11-12T03", "key-1", "model-1", Int64(round * 10))]),
                round % 2 == 0
                    ? tookForce(day: "2026-11-12", project: "proj-1") : leftForce(day: "2026-11-12", project: "proj-1"),
            ])
        }
        return log
    }

    @Test(arguments: ["Asia/Seoul", "America/New_York", "Asia/Kolkata"])
    func liveAndRebuiltProjectionsAreTheSame(zone: String) async throws {
        let log = try await variedLog(zone: zone)
        let keeper = log.keeper()
        // Live, in small and uneven steps.
        var position = try await keeper.open()
        try await log.append([recorded(usage("2026-11-25T01", nanos: 77))])
        while true {
            let page = try await log.store.read(after: position, limit: 1 + Int(position.value % 7), types: nil)
            if page.events.isEmpty { break }
            _ = try await keeper.apply(
                SubscriptionBatch(events: page.events, scannedThrough: page.scannedThrough, head: page.head))
            position = page.scannedThrough
        }
        await keeper.close()
        let live = try log.digest()
        let first = try await log.rebuild()
        #expect(first == live)
        #expect(try await log.rebuild() == first)
    }

    @Test func fromTheFirstEventLiveEqualsRebuilt() async throws {
        let varied = try await variedLog()
        let events = try await varied.store.read(after: .start, limit: 10_000, types: nil).events
        let log = ScenarioLog()
        let keeper = log.keeper()
        _ = try await keeper.open()
        for event in events {
            let batch = SubscriptionBatch(events: [event], scannedThrough: event.position, head: event.position)
            #expect(try await keeper.apply(batch))
            // The same again: a repeat changes nothing.
            #expect(try await keeper.apply(batch))
        }
        await keeper.close()
        let live = try log.digest()
        #expect(try await varied.rebuild() == live)
    }

    @Test func asOfAPositionEqualsTheProjectionOfThatPrefix() async throws {
        let varied = try await variedLog()
        let prefix = ScenarioLog()
        let events = try await varied.store.read(after: .start, limit: 150, types: nil).events
        try await prefix.append(raw: events.map { ($0.type, $0.payload) })
        let build = ProjectionBuild(reader: varied.store, calendar: varied.calendar, end: .position(Position(150)))
        let path = varied.files.directory + "-as-of.db"
        defer { ProjectionFiles.remove(path) }
        _ = try await build.run(into: path)
        #expect(try await ProjectionDigest.hex(ofGeneration: path) == prefix.rebuild())
    }

    @Test func aPoisonedEventIsPassedOnlyWhenSkipped() async throws {
        let log = ScenarioLog()
        try await log.append([recorded(usage("2026-11-19T20", nanos: 10))])
        try await log.append(raw: [("usage.recorded", [0xFF, 0xFF, 0xFF])])
        try await log.append(raw: [("future.thing", [1])])
        try await log.append([recorded(usage("2026-11-19T21", nanos: 20))])
        let halt = await #expect(throws: ProjectionHalt.self) { try await log.catchUp() }
        #expect(halt?.position == 2)
        #expect(try log.query(from: "2026-11-20", to: "2026-11-20").total.cost == 10)
        #expect(try ProjectionReader(path: log.files.current).checkpoint.halt?.position == 2)
        var skipped = WireProcessingSkipped()
        skipped.stage = "projector"
        skipped.position = 2
        skipped.reason = "a test wrote it"
        try await log.append([.processingSkipped(skipped)], to: "failures-projector")
        let live = try await log.catchUp()
        #expect(try log.query(from: "2026-11-20", to: "2026-11-20").total.cost == 30)
        #expect(try ProjectionReader(path: log.files.current).unknownEvents == 1)
        #expect(try await log.rebuild() == live)
    }

    @Test func anotherZoneIsAnotherGeneration() async throws {
        let log = ScenarioLog()
        try await log.append([recorded(usage("2026-11-19T14", nanos: 10)), recorded(usage("2026-11-19T15", nanos: 20))])
        try await log.catchUp()
        let keeper = ProjectionKeeper(files: log.files, reader: log.store, calendar: BusinessCalendar("UTC")!)
        _ = try await keeper.catchUp()
        #expect(try log.query(from: "2026-11-19", to: "2026-11-19").total.cost == 30)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: log.files.directory).filter { $0.hasSuffix(".db") }
                .count == 2)
    }

    @Test func aKeeperMovesOverToASwappedGeneration() async throws {
        let log = ScenarioLog()
        try await log.append([recorded(usage("2026-11-19T14"))])
        let keeper = log.keeper()
        let position = try await keeper.open()
        try await log.rebuild()
        let batch = SubscriptionBatch(events: [], scannedThrough: position, head: position)
        #expect(try await !keeper.apply(batch))
        #expect(try await keeper.open() == position)
        #expect(try await keeper.apply(batch))
    }
}

@Suite struct UsageFactReaderTests {
    @Test(arguments: 0..<40) func itReadsWhatTheGeneratedCodeReads(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<25 {
            var event = WireUsageRecorded()
            event.row = usage(
                "2026-11-\(Int.random(in: 10...28, using: &random))T\(Int.random(in: 0...23, using: &random))",
                key: Bool.random(using: &random) ? "key" : nil, model: Bool.random(using: &random) ? "모델" : nil,
                project: Bool.random(using: &random) ? "" : nil, input: .random(in: 0...(1 << 49), using: &random),
                nanos: Bool.random(using: &random) ? .random(in: .min ... .max, using: &random) : nil)
            event.row.quantities.calls = .random(in: 0...3, using: &random)
            event.row.priceEstimated = .random(using: &random)
            event.row.longContextPossible = .random(using: &random)
            event.observed = .random(in: 0...1 << 33, using: &random)
            let payload: [UInt8] = try event.serializedBytes()
            let fact = try UsageFactReader.read(payload, as: .recorded)
            #expect(fact.bucketStart == event.row.bucketStart && fact.bucketEnd == event.row.bucketEnd)
            #expect(fact.observed == event.observed)
            #expect(fact.quantities.inputTokens == event.row.quantities.inputTokens)
            #expect(fact.quantities.outputTokens == event.row.quantities.outputTokens)
            #expect(fact.quantities.calls == event.row.quantities.calls)
            #expect(fact.hasCost == event.row.hasCost && fact.costNanos == event.row.cost.nanos)
            #expect(String(decoding: payload[fact.currency], as: UTF8.self) == event.row.cost.currency)
            #expect(String(decoding: payload[fact.priceVersion], as: UTF8.self) == event.row.priceVersion)
            #expect(String(decoding: payload[fact.unpricedReason], as: UTF8.self) == event.row.unpricedReason)
            #expect(fact.priceEstimated == event.row.priceEstimated)
            #expect(fact.longContextPossible == event.row.longContextPossible)
        }
    }

    @Test(arguments: 0..<40) func bytesThatAreNoEventNeverTrap(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<125 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            // Some of them are an event by chance.
            _ = try? UsageFactReader.read(bytes, as: .recorded)
        }
    }
}
