import EventLog
import FinOps
import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct KeyRatesTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    private func at(_ seconds: Int64) -> Timestamp { Self.start.advanced(bySeconds: seconds) }

    /// The facts of a key with these limits.
    private func key(requests: UInt32 = 0, tokens: UInt32 = 0) throws -> KeyFacts {
        var log = TestLog()
        let issued = FinOpsEvent.keyIssued(
            .with {
                $0.key = "key-1"
                $0.hash = Data(repeating: 1, count: 32)
                $0.requestsPerMinute = requests
                $0.tokensPerMinute = tokens
            })
        log.append(issued, to: "key-key-1", at: Self.start)
        var table = KeyTable(gateway: "gateway")
        for (event, recorded) in log.events { table.take(event, recorded) }
        let hash = try #require(KeyHash([UInt8](repeating: 1, count: 32)))
        guard case .accepted(let facts) = table.answer(to: hash, at: Self.start) else { throw NoKey() }
        return facts
    }

    private struct NoKey: Error {}

    @Test func aKeyWithoutLimitsIsNeverSlowed() throws {
        var rates = KeyRates()
        let key = try key()
        for _ in 0..<1_000 { #expect(rates.admit(key, tokens: 1_000_000, at: Self.start) == .admitted(tokens: 0)) }
    }

    @Test func aMinutesRequestsMayComeAtOnceAndThenFlowBack() throws {
        var rates = KeyRates()
        let key = try key(requests: 60)
        for _ in 0..<60 { #expect(rates.admit(key, tokens: 0, at: Self.start) == .admitted(tokens: 0)) }
        #expect(rates.admit(key, tokens: 0, at: Self.start) == .limited(.requests, limit: 60, retryAfter: 1))
        #expect(rates.admit(key, tokens: 0, at: at(1)) == .admitted(tokens: 0))
        #expect(rates.admit(key, tokens: 0, at: at(1)) == .limited(.requests, limit: 60, retryAfter: 1))
        // Rest is not saved beyond a minute.
        let admitted = (0..<200).count { _ in rates.admit(key, tokens: 0, at: at(10_000)) == .admitted(tokens: 0) }
        #expect(admitted == 60)
    }

    @Test func whatIsToldToWaitIsAdmittedThen() throws {
        var rates = KeyRates()
        let key = try key(tokens: 1_000)
        #expect(rates.admit(key, tokens: 800, at: Self.start) == .admitted(tokens: 800))
        #expect(rates.admit(key, tokens: 800, at: Self.start) == .limited(.tokens, limit: 1_000, retryAfter: 36))
        #expect(rates.admit(key, tokens: 800, at: at(30)) == .limited(.tokens, limit: 1_000, retryAfter: 6))
        #expect(rates.admit(key, tokens: 800, at: at(36)) == .admitted(tokens: 800))
    }

    @Test func tokensThatWereNotNeededComeBack() throws {
        var rates = KeyRates()
        let key = try key(tokens: 1_000)
        #expect(rates.admit(key, tokens: 1_000, at: Self.start) == .admitted(tokens: 1_000))
        rates.settle(key, setAside: 1_000, used: 100, at: Self.start)
        #expect(rates.admit(key, tokens: 900, at: Self.start) == .admitted(tokens: 900))
        #expect(rates.admit(key, tokens: 1, at: Self.start) == .limited(.tokens, limit: 1_000, retryAfter: 1))
    }

    /// Else it would wait for ever; what it took is missing afterwards.
    @Test func aCallThatNeedsMoreThanAMinuteHasBeginsWhenAllIsThere() throws {
        var rates = KeyRates()
        let key = try key(tokens: 1_000)
        #expect(rates.admit(key, tokens: 5_000, at: Self.start) == .admitted(tokens: 5_000))
        #expect(rates.admit(key, tokens: 5_000, at: at(60)) == .limited(.tokens, limit: 1_000, retryAfter: 240))
        #expect(rates.admit(key, tokens: 5_000, at: at(300)) == .admitted(tokens: 5_000))
    }

    /// Nobody says how long an answer may be: each call sets aside what its model can write at most.
    @Test func aCallThatSetAsideMoreThanThereIsGivesBackNoMoreThanItTook() throws {
        var rates = KeyRates()
        let key = try key(tokens: 3_000)
        #expect(rates.admit(key, tokens: 16_400, at: Self.start) == .admitted(tokens: 16_400))
        rates.settle(key, setAside: 16_400, used: 1_100, at: Self.start)
        #expect(rates.admit(key, tokens: 16_400, at: Self.start) == .limited(.tokens, limit: 3_000, retryAfter: 22))
        #expect(rates.admit(key, tokens: 1_900, at: Self.start) == .admitted(tokens: 1_900))
        #expect(rates.admit(key, tokens: 1, at: Self.start) == .limited(.tokens, limit: 3_000, retryAfter: 1))
    }

    @Test func aClockThatGoesBackGivesNothing() throws {
        var rates = KeyRates()
        let key = try key(requests: 1)
        #expect(rates.admit(key, tokens: 0, at: at(10)) == .admitted(tokens: 0))
        #expect(rates.admit(key, tokens: 0, at: Self.start) == .limited(.requests, limit: 1, retryAfter: 60))
    }
}
