import EventLog
import FinOps
import Foundation
import JSON
import Notices
import Runtime
import Storage
import Testing

/// The programs between usage and Slack killed fifty times each while 200 thresholds are crossed: every crossing is found
/// once and told, and what Slack has acknowledged is not told again.
@Suite(.serialized) struct AlertChaosTests {
    @Test func everyCrossingIsToldWhateverIsKilled() async throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["FINOPS_CHAOS_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
        do {
            try await Installation.with { installation in
                let run = AlertChaosRun(installation, seed: seed)
                let began = ContinuousClock.now
                let kills = try await run.play()
                let counts = AlertChaosRun.Target.allCases.map { "\($0.rawValue) \(kills[$0, default: 0])" }
                let messages = try await installation.control("GET", "/sandbox/slack")["messages"]?.array ?? []
                print(
                    "alert chaos: seed \(seed), \(ContinuousClock.now - began):", counts.joined(separator: ", "),
                    "· \(messages.count) messages")
                for (target, count) in kills {
                    // A machine that does other things besides brings them back too slowly for all fifty.
                    #expect(count >= AlertChaosRun.killsOfEach / 5, "\(target.rawValue) was hardly killed")
                }
                try await expectExactCrossings(run)
                try await expectDeliveries(run, messages)
                let verified = try await installation.run("event-log", "verify", "--json").expecting().json()
                #expect(verified["ok"]?.bool == true)
            }
        } catch {
            Issue.record("seed \(seed): \(error)")
        }
    }

    /// One crossing of each project, no clearing, nothing else.
    private func expectExactCrossings(_ run: AlertChaosRun) async throws {
        let page = try await run.reader.read(
            after: .start, limit: 10_000, types: ["threshold.crossed", "threshold.cleared"])
        let found = try page.events.map { try EventCatalogue.decode($0.event) }.compactMap { event -> String? in
            guard case .thresholdCrossed(let crossing)? = event else { return "cleared" }
            return crossing.cost == crossing.limit ? "\(crossing.name) \(crossing.level)" : "\(crossing.name) late"
        }
        #expect(found.sorted() == (0..<AlertChaosRun.projects).map { "\(AlertChaosRun.project($0)) 100" }.sorted())
    }

    /// By the log, every item was delivered, and nothing was started again after its delivery; by Slack, every project
    /// was told, by name or in the count of a crowd that has no line for each, and more often than once only where the log
    /// says that it was uncertain.
    private func expectDeliveries(_ run: AlertChaosRun, _ messages: [JSONValue]) async throws {
        var queued: Set<String> = []
        var delivered: Set<String> = []
        var itemsOf: [String: [String]] = [:]
        var acknowledged: Set<String> = []
        var uncertain = 0
        for recorded in try await run.reader.readAll(stream: .outbox("slack")) {
            switch try EventCatalogue.decode(recorded.event) {
            case .notificationQueued(let event):
                #expect(queued.insert(event.item).inserted, "\(event.item) is queued twice")
            case .notificationStarted(let event):
                #expect(!acknowledged.contains(event.notification), "acknowledged, and sent again")
                itemsOf[event.notification] = event.items
                if event.uncertain { uncertain += 1 }
            case .notificationDelivered(let event):
                acknowledged.insert(event.notification)
                delivered.formUnion(itemsOf[event.notification] ?? [])
            default: break
            }
        }
        #expect(delivered == queued)
        let texts = messages.map(\.text)
        let unnamed = (0..<AlertChaosRun.projects).map { "· \(AlertChaosRun.project($0)) ·" }.filter { name in
            !texts.contains { $0.contains(name) }
        }
        let counted = itemsOf.values.reduce(0) { $0 + max(0, $1.count - Notice.mostFacts) }
        #expect(unnamed.count <= counted, "\(unnamed) never reached Slack")
        #expect(messages.count <= acknowledged.count + uncertain)
    }
}
