import EventLog
import FinOps
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing

@testable import Stages

/// Log, watcher and notifier together, on a clock of their own: the wire drops, repeats and reorders, programs die at any
/// append and at any moment, and the other side takes messages without saying so. Whatever happens, the log has the alerts
/// that the raw events ask for, each crossing is told, and nothing that was acknowledged is sent again.
@Suite struct AlertSimulationTests {
    private static let seeds: Range<UInt64> = 0..<500
    /// So many run beside each other.
    private static let lanes = 2

    @Test func everySeedTellsEveryCrossing() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for lane in 0..<Self.lanes {
                group.addTask {
                    for seed in Self.seeds where Int(seed) % Self.lanes == lane { try await Self.check(seed) }
                }
            }
        }
    }

    private static func check(_ seed: UInt64) async throws {
        let simulation = AlertSimulation(seed: seed)
        try await simulation.run()
        for wrong in try await simulation.wrongs() { Issue.record("seed \(seed): \(wrong)") }
    }
}

// MARK: What must hold

extension AlertSimulation {
    func wrongs() async throws -> [String] {
        let events = try await log.store.events()
        return try wrongFindings(events) + untold(events) + hurried(events) + troubles.withLock { $0 }
            + post.wrongs
    }

    /// Attempts that began within a second after the one before, by the clock they go by.
    private func hurried(_ events: [RecordedEvent]) -> [String] {
        let starts = events.filter { $0.type == "notification.started" }
        return Dictionary(grouping: starts, by: \.stream).values.flatMap { starts in
            zip(starts, starts.dropFirst())
                .filter { $1.event.occurred < $0.event.occurred.advanced(bySeconds: 1) }
                .map { "\($1.position) of \($1.stream) began within a second" }
        }
    }

    /// What the log says was found, held against the oracle.
    private func wrongFindings(_ events: [RecordedEvent]) throws -> [String] {
        var found: [UInt64: [String]] = [:]
        var commits: [[RecordedEvent]] = []
        for event in events {
            let decoded = try EventCatalogue.decode(event.event)
            if let position = decoded?.foundAt {
                found[position, default: []].append(decoded?.words ?? "")
            }
            guard event.producer == "collector" else { continue }
            if commits.last?.last?.recorded == event.recorded {
                commits[commits.count - 1].append(event)
            } else {
                commits.append([event])
            }
        }
        var oracle = WatchOracle()
        var wrongs = try commits.compactMap { commit -> String? in
            guard let last = commit.last else { return nil }
            let expected = oracle.commit(
                try commit.compactMap { try EventCatalogue.decode($0.event) }, at: last.recorded)
            let told = (found.removeValue(forKey: last.position.value) ?? []).sorted()
            return told == expected ? nil : "at \(last.position): found \(told), not \(expected)"
        }
        wrongs += found.map { "at \($0.key), where no commit ends: found \($0.value)" }
        return wrongs
    }

    /// Crossings that stand and that somebody did not get.
    private func untold(_ events: [RecordedEvent]) throws -> [String] {
        var told: [String: Set<String>] = [:]
        var standing: [String: Position] = [:]
        for event in events {
            switch try EventCatalogue.decode(event.event) {
            case .notificationStarted(let started):
                guard post.hasAccepted(started.notification, started.destination) else { continue }
                told[started.destination, default: []].formUnion(started.items)
            case .thresholdCrossed(let alert):
                standing["\(alert.scope)/\(alert.name)/\(alert.window)/\(alert.firstDay)/\(alert.level)"] =
                    event.position
            case .thresholdCleared(let alert):
                standing["\(alert.scope)/\(alert.name)/\(alert.window)/\(alert.firstDay)/\(alert.level)"] = nil
            default: break
            }
        }
        return standing.flatMap { what, position in
            Self.destinations.filter { told[$0]?.contains("crossed-\(position)") != true }
                .map { "\(what) at \(position) was not told to \($0)" }
        }
    }
}

extension InMemoryEventStore {
    fileprivate func events() throws(StoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while true {
            let page = try read(
                after: events.last?.position ?? .start, limit: EventLimits.readEvents, types: nil)
            if page.events.isEmpty { return events }
            events += page.events
        }
    }
}
