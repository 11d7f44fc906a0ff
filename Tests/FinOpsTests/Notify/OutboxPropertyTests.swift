import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// Random alerts, outcomes, crashes and people: nothing is lost, nothing told twice, in order, and not too often.
@Suite struct OutboxPropertyTests {
    @Test(arguments: 0..<200) func everyAlertIsToldOnceInOrderAndNotTooOften(_ seed: Int) throws {
        var play = Play(seed: UInt64(seed))
        for _ in 0..<150 { play.step() }
        play.comeToRest()
        #expect(play.problems.isEmpty, "seed \(seed): \(play.problems.prefix(3))")
    }

    private struct Play {
        private enum Fate { case waiting, told, counted, dropped, dead }

        var problems: [String] = []
        private var scene = OutboxScene(settings: .init(giveUpAfterSeconds: 1_800))
        private var random: SeededGenerator
        private var minutes = 0.0
        private var fates: [String: Fate] = [:]
        private var queued: [String] = []
        private var crossings: [String: (project: String, level: UInt32)] = [:]
        private var snoozes: [String: Double] = [:]
        /// What the other side took, by message.
        private var arrived: [String: [String]] = [:]
        private var acknowledged: Set<String> = []
        /// By project, then by level: what arrived first.
        private var lastMessage: [String: [UInt32: Double]] = [:]
        /// The same, of what is known to be told, or may have been.
        private var lastTold: [String: [UInt32: Double]] = [:]
        private var dead: [String] = []

        init(seed: UInt64) { random = SeededGenerator(seed: seed) }

        private mutating func chance(_ per: Int) -> Bool { Int.random(in: 0..<100, using: &random) < per }

        mutating func step() {
            minutes += Double.random(in: 0...12, using: &random)
            let project = "p\(Int.random(in: 0..<4, using: &random))"
            let level: UInt32 = [50, 80, 100][Int.random(in: 0..<3, using: &random)]
            switch Int.random(in: 0..<10, using: &random) {
            case 0...4:
                let item = scene.crossed(project, level, at: minutes)
                note(item)
                crossings[item] = (project, level)
            case 5: note(scene.cleared(project, level, at: minutes))
            case 6: scene.acknowledge(project, at: minutes)
            case 7:
                let end = minutes + Double.random(in: -5...90, using: &random)
                scene.snooze(project, until: end, at: minutes)
                snoozes[project] = end
            case 8: if !dead.isEmpty { scene.retry(dead.removeFirst(), at: minutes) }
            default: break
            }
            deliver(worksPerCent: 60)
        }

        private mutating func note(_ item: String) {
            fates[item] = .waiting
            queued.append(item)
        }

        /// Everybody gets through now, and time passes.
        mutating func comeToRest() {
            for _ in 0..<2_000 where scene.outbox.depth > 0 {
                deliver(worksPerCent: 100)
                minutes += 1
            }
            if scene.outbox.depth > 0 { problems.append("does not come to rest") }
            for (item, fate) in fates where fate == .waiting { problems.append("\(item) is lost") }
        }

        private mutating func deliver(worksPerCent: Int) {
            for _ in 0..<50 {
                let now = OutboxScene.at(minutes)
                switch scene.outbox.next(at: now) {
                case .wait: return lookForLate()
                case .drop(let event):
                    for item in event.items { move(item, to: .dropped, from: [.waiting]) }
                    scene.outbox.evolve(.notificationDropped(event), at: now)
                case .abandon(let event):
                    for item in event.items where fates[item] == .waiting { fates[item] = .dead }
                    dead.append(event.notification)
                    scene.outbox.evolve(.notificationAbandoned(event), at: now)
                case .send(let plan): attempt(plan, worksPerCent: worksPerCent)
                }
            }
        }

        /// Nothing waits that no message of its level or a higher one, within the hour, keeps back.
        private mutating func lookForLate() {
            // A second later the pace of messages keeps nothing.
            let later = minutes + 1.01 / 60
            guard case .wait = scene.outbox.next(at: OutboxScene.at(later)),
                scene.outbox.depth == scene.outbox.waiting.count
            else { return }
            for item in scene.outbox.waiting {
                guard let (project, level) = crossings[item.id], snoozes[project, default: 0] <= later else { continue }
                let isKeptBack = lastTold[project, default: [:]].contains { $0.key >= level && later - $0.value < 60 }
                if !isKeptBack { problems.append("\(item.id) waits at \(minutes) for nothing") }
            }
        }

        private mutating func attempt(_ plan: DeliveryPlan, worksPerCent: Int) {
            if acknowledged.contains(plan.notification) { problems.append("\(plan.notification) again") }
            if let before = arrived[plan.notification] {
                if before != plan.items.map(\.id) { problems.append("\(plan.notification) has changed") }
                if !plan.isUncertain { problems.append("\(plan.notification) repeats and does not say so") }
            }
            scene.outbox.evolve(plan.started, at: OutboxScene.at(minutes))
            let works = chance(worksPerCent)
            let arrives = works || chance(30)
            if arrives { arrive(plan) }
            if arrives || plan.isUncertain {
                for (project, level) in plan.items.compactMap({ crossings[$0.id] }) {
                    lastTold[project, default: [:]][level] = minutes
                }
            }
            // It dies before it could note what became of it.
            if !works && chance(30) || works && worksPerCent < 100 && chance(10) { return }
            let now = OutboxScene.at(minutes)
            if works {
                acknowledged.insert(plan.notification)
                scene.outbox.evolve(plan.delivered(answer: "ok", milliseconds: 1), at: now)
            } else {
                let failure = DeliveryFailure(
                    code: "unreachable", message: "no", isUncertain: arrives, isRetriable: chance(90))
                scene.outbox.evolve(plan.failed(failure, at: now), at: now)
            }
        }

        /// The other side has it, whether we learn it or not.
        private mutating func arrive(_ plan: DeliveryPlan) {
            guard arrived.updateValue(plan.items.map(\.id), forKey: plan.notification) == nil else { return }
            for item in plan.told { move(item.id, to: .told, from: [.waiting, .dead]) }
            for item in plan.items.suffix(plan.heldBack) { move(item.id, to: .counted, from: [.waiting, .dead]) }
            // A message within the hour about a project is about a higher level than those before it.
            for (project, told) in Dictionary(grouping: plan.items.compactMap { crossings[$0.id] }, by: \.project) {
                let level = told.map(\.level).max() ?? 0
                // An attempt that seemed to fail and arrived all the same is counted from its first arrival.
                for (before, last) in lastMessage[project] ?? [:] where minutes - last < 59.99 && before >= level {
                    if plan.attempt == 1 {
                        problems.append("\(project) at \(last) with \(before) and again at \(minutes) with \(level)")
                    }
                }
                for (_, level) in told { lastMessage[project, default: [:]][level] = minutes }
            }
            order(plan)
        }

        /// Within a subject nothing newer is told before something older, but for what came back from the dead.
        private mutating func order(_ plan: DeliveryPlan) {
            let places = plan.told.compactMap { item in queued.firstIndex(of: item.id) }
            if plan.attempt == 1, places != places.sorted(), plan.heldBack == 0 {
                problems.append("\(plan.notification) is out of order")
            }
        }

        private mutating func move(_ item: String, to fate: Fate, from: Set<Fate>) {
            guard let known = fates[item], from.contains(known) else {
                return problems.append("\(item) is \(fate), and was \(fates[item].map { "\($0)" } ?? "unknown")")
            }
            fates[item] = fate
        }
    }
}
