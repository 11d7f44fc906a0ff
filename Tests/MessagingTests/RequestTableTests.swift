import EventLog
import Testing

@testable import Messaging

@Suite struct RequestTableTests {
    private func table() -> RequestTable<String> {
        RequestTable(attemptMilliseconds: 100, deadlineMilliseconds: 1_000)
    }

    private func sendAll(_ table: inout RequestTable<String>, now: Int64) -> [UInt64] {
        var sent: [UInt64] = []
        while let frame = table.firstToSend() {
            sent.append(frame.withUnsafeBytes { FrameReader.correlation(of: $0) } ?? 0)
            table.sentFirst(now: now)
        }
        return sent
    }

    @Test func requestsGoOutInOrderAndOnce() {
        var table = table()
        table.add([UInt8](frame: .hello), needsNewest: false, waiter: "a", now: 0)
        table.add([UInt8](frame: .hello), needsNewest: false, waiter: "b", now: 0)
        #expect(sendAll(&table, now: 0) == [1 << 8, 2 << 8])
        #expect(sendAll(&table, now: 1) == [])
        #expect(table.answered(2 << 8) == "b")
        #expect(table.answered(2 << 8) == nil)
        #expect(table.answered(1 << 8) == "a")
        #expect(table.isEmpty)
    }

    @Test func whatWasOnItsWayGoesOutAgainInOrderAfterAReconnection() {
        var table = table()
        for waiter in ["a", "b", "c"] {
            table.add([UInt8](frame: .hello), needsNewest: false, waiter: waiter, now: 0)
        }
        _ = sendAll(&table, now: 0)
        _ = table.answered(2 << 8)
        table.reconnected()
        #expect(sendAll(&table, now: 1) == [1 << 8 | 1, 3 << 8 | 1])
        #expect(table.answered(1 << 8) == "a", "an answer to the first attempt of a repeatable request is good")
    }

    @Test func onlyTheNewestSessionCounts() {
        var table = table()
        table.add([UInt8](frame: .openSession), needsNewest: true, waiter: "a", now: 0)
        _ = sendAll(&table, now: 0)
        table.reconnected()
        _ = sendAll(&table, now: 1)
        #expect(table.answered(1 << 8) == nil)
        #expect(table.answered(1 << 8 | 1) == "a")
    }

    @Test func aSlowAttemptIsRepeatedWithLongerPausesUntilTheDeadline() {
        var table = table()
        table.add([UInt8](frame: .hello), needsNewest: false, waiter: "a", now: 0)
        var sentAt: [Int64] = []
        for now in stride(from: Int64(0), to: 1_000, by: 50) {
            #expect(table.expire(now: now) == [])
            if !sendAll(&table, now: now).isEmpty { sentAt.append(now) }
        }
        #expect(sentAt == [0, 100, 300, 700])
        #expect(table.expire(now: 1_000) == ["a"])
        #expect(table.isEmpty)
    }

    @Test func anAbandonedRequestIsNotSentAgain() {
        var table = table()
        table.add([UInt8](frame: .hello), needsNewest: false, waiter: "a", now: 0)
        table.add([UInt8](frame: .hello), needsNewest: false, waiter: "b", now: 0)
        table.forget { $0 == "a" }
        #expect(sendAll(&table, now: 0) == [2 << 8])
    }
}
