import EventLog
import FinOps
import TestSupport
import Testing

/// The watch against sums worked out the long way, over random histories, with batches that end anywhere and restarts.
@Suite struct WatchOracleTests {
    @Test(arguments: 0..<40) func everySeedFindsWhatTheRawEventsSay(_ seed: UInt64) {
        var history = RandomHistory(seed: seed)
        var log = WatchedLog()
        for _ in 0..<60 {
            let (events, recorded) = history.commit()
            log.append(events, at: recorded)
            switch Int.random(in: 0..<4, using: &history.random) {
            case 0: log.catchUp()
            case 1: log.catchUp(atMost: Int.random(in: 1...7, using: &history.random))
            case 2: log.restart()
            default: break
            }
        }
        log.catchUp()
        var oracle = WatchOracle()
        for (position, events, recorded) in log.news {
            let expected = oracle.commit(events, at: recorded)
            #expect(log.findings(at: position) == expected, "seed \(seed), commit that ends at \(position)")
        }
    }
}

extension WatchedLog {
    /// Every commit that is not the watcher's: its last position, its events, and when it was recorded.
    fileprivate var news: [(Int, [FinOpsEvent], Timestamp)] {
        Dictionary(grouping: entries.indices.filter { entries[$0].isNews }) { entries[$0].commit }.values
            .map { ($0.last! + 1, $0.map { entries[$0].event }, entries[$0[0]].recorded) }
            .sorted { $0.0 < $1.0 }
    }

    /// What was found at a position, in words, sorted.
    fileprivate func findings(at position: Int) -> [String] {
        entries.map(\.event).filter { $0.foundAt == UInt64(position) }.map(\.words).sorted()
    }
}
