import EventLog
import FinOps
import Spool
import Stages
import TestSupport
import Testing

@Suite struct SpoolDrainerTests {
    private let store = InMemoryEventStore(now: { Timestamp(seconds: 1_800_000_000) })

    private func events() async throws -> [RecordedEvent] {
        try await store.read(after: .start, limit: 10_000, types: nil).events
    }

    @Test(arguments: 1...25) func whateverIsKilledEachRecordArrivesOnceAndInOrder(_ seed: UInt64) async throws {
        try await withTemporaryDirectory { path in
            var random = SeededGenerator(seed: seed &* 7_919)
            let lossy = LossyStore(store, seed: seed, faults: 35)
            var number = 0
            for life in 0..<12 {
                let spool = try Spool(path, SpoolSettings(segmentBytes: 3_000, syncDelay: .microseconds(100)))
                for _ in 0..<Int.random(in: 0...60, using: &random) {
                    number += 1
                    try spool.append(sampleEvent(number), to: StreamName("calls-\(number % 4)"))
                }
                await spool.settled()
                if life == 11 { await lossy.heal() }
                do { try await SpoolDrainer.test(spool, lossy).drainOnce() } catch let error as StoreError {
                    #expect(error == LossyStore.killed)
                }
                await spool.close()
            }
            let found = try await events()
            #expect(found.count == number, "seed \(seed)")
            for stream in 0..<4 {
                let expected = (1...max(number, 1)).filter { $0 % 4 == stream && $0 <= number }.map { sampleEvent($0) }
                let stored = found.filter { $0.stream == StreamName("calls-\(stream)") }.map(\.event)
                #expect(stored == expected, "seed \(seed)")
            }
            for answer in await lossy.lateAnswers {
                guard case .fenced = answer else {
                    Issue.record("a late request was not fenced: \(String(describing: answer))")
                    continue
                }
            }
        }
    }

    @Test func whatTheLogRefusesForGoodGoesAsideAndTheRestArrives() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path)
            for number in 1...50 {
                let stream = number % 20 == 7 ? "calls-\u{1}" : "calls-a"
                try spool.append(sampleEvent(number), to: StreamName(stream))
            }
            await spool.settled()
            let told = Latest<SpoolDrainer.Progress>()
            let drainer = SpoolDrainer.test(spool, store) { told.tell($0) }
            try await drainer.drainOnce()
            let found = try await events()
            let calls = found.filter { $0.stream == "calls-a" }.map(\.event)
            #expect(calls == (1...50).filter { $0 % 20 != 7 }.map { sampleEvent($0) })
            let failures = found.filter { $0.stream == "failures-gateway-test" }
            #expect(failures.map(\.producerSequence) == [7, 27, 47])
            guard
                case .processingFailed(let failed)? = try failures.first.flatMap({ try EventCatalogue.decode($0.event) }
                )
            else { throw NotYet() }
            #expect(failed.position == 7 && failed.error.contains("refused/00000000000000000007"))
            let progress = try #require(told.value)
            #expect(progress.refused == 3 && progress.waiting == 0 && progress.delivered == 50)
            await spool.close()
        }
    }

    @Test func aLogThatIsAwayIsWaitedForAndTheAgeOfTheOldestIsTold() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path)
            let lossy = LossyStore(store, seed: 1, faults: 100)
            let told = Latest<SpoolDrainer.Progress>()
            let drainer = SpoolDrainer.test(spool, lossy) { told.tell($0) }
            for number in 1...5 { try spool.append(sampleEvent(number), to: "calls-a") }
            await spool.settled()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await drainer.run() }
                try await eventually { told.value?.obstacle != nil }
                let progress = try #require(told.value)
                #expect(progress.waiting == 5 && progress.oldest == sampleEvent(1).occurred)
                await lossy.heal()
                try await eventually { told.value?.delivered == 5 }
                #expect(told.value?.oldest == nil && told.value?.obstacle == nil)
                // From here on as it comes.
                try spool.append(sampleEvent(6), to: "calls-a")
                try await eventually { try await events().count == 6 }
                group.cancelAll()
                await #expect(throws: CancellationError.self) { try await group.waitForAll() }
            }
            await spool.close()
        }
    }

    @Test func aSecondGatewayOfTheNameEndsTheFirst() async throws {
        try await withTemporaryDirectory { path in
            let spool = try Spool(path)
            let drainer = SpoolDrainer.test(spool, store)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await drainer.run() }
                try await eventually { try await store.session(of: "gateway-test") != nil }
                _ = try await store.openSession("gateway-test")
                try spool.append(sampleEvent(1), to: "calls-a")
                await #expect(throws: StoreError.self) { try await group.next() }
            }
            await spool.close()
        }
    }

    @Test func aSpoolThatWasThrownAwayLosesNothingThatComesLater() async throws {
        try await withTemporaryDirectory { path in
            for life in 0..<3 {
                let spool = try Spool("\(path)/\(life)")
                for number in 1...4 { try spool.append(sampleEvent(life * 4 + number), to: "calls-a") }
                await spool.settled()
                try await SpoolDrainer.test(spool, store).drainOnce()
                await spool.close()
            }
            #expect(try await events().map(\.event) == sampleEvents(1..<13))
        }
    }
}
