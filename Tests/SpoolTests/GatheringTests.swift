import Synchronization
import TestSupport
import Testing

@testable import Spool

struct GatheringTests {
    /// What was handed on, batch by batch.
    private final class Hands: Sendable {
        private let batches = Mutex<[[Int]]>([])
        func take(_ batch: [Int]) { batches.withLock { $0.append(batch) } }
        var all: [[Int]] { batches.withLock { $0 } }
        var items: [Int] { all.flatMap { $0 } }
    }

    @Test func whatComesInAMomentIsHandedOnTogetherAndInOrder() async throws {
        let hands = Hands()
        let gathering = try Gathering<Int>(pause: .milliseconds(200), limit: 1_000, for: "a test") { hands.take($0) }
        for item in 0..<100 { gathering.add(item) }
        try await eventually { hands.items.count == 100 }
        #expect(hands.items == Array(0..<100))
        #expect(hands.all.count < 10)
        gathering.close()
    }

    @Test func nothingIsLostOrDoubledHoweverManyAddAndFlush() async throws {
        let hands = Hands()
        let gathering = try Gathering<Int>(pause: .microseconds(50), limit: 64, for: "a test") { hands.take($0) }
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for item in 0..<2_500 {
                        gathering.add(writer * 2_500 + item)
                        if item % 500 == 0 { gathering.flush() }
                    }
                }
            }
        }
        gathering.close()
        #expect(hands.items.sorted() == Array(0..<10_000))
        for writer in 0..<4 {
            let own = hands.items.filter { $0 / 2_500 == writer }
            #expect(own == own.sorted())
        }
    }

    @Test func whoAddsBeyondTheLimitTakesPart() throws {
        let hands = Hands()
        let gathering = try Gathering<Int>(pause: .seconds(30), limit: 10, for: "a test") { hands.take($0) }
        for item in 0..<9 { gathering.add(item) }
        #expect(hands.items.isEmpty)
        gathering.add(9)
        #expect(hands.items.count == 10)
        gathering.close()
    }

    @Test func onceItIsClosedNothingWaits() throws {
        let hands = Hands()
        let gathering = try Gathering<Int>(pause: .seconds(30), limit: 10, for: "a test") { hands.take($0) }
        gathering.add(1)
        gathering.close()
        #expect(hands.items == [1])
        gathering.add(2)
        #expect(hands.items == [1, 2])
        gathering.close()
    }
}
