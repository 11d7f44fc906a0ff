import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@testable import Projections

/// `best` against brute force: every cell is looked at with every other one, by the rules as they are written.
@Suite struct BestBasisTests {
    private struct Facts {
        var calls: [WireCallRecorded] = []
        var usage: [String: WireUsageRow] = [:]
        var bills: [String: WireBillAllocated] = [:]
        var inForce: Set<String> = []
        var owners: [String: String] = [:]

        mutating func take(_ event: FinOpsEvent) {
            switch event {
            case .callRecorded(let call):
                if !calls.contains(where: { $0.call == call.call && $0.started == call.started }) { calls.append(call) }
            case .callRepriced(let event):
                for index in calls.indices
                where calls[index].call == event.call.call && calls[index].started == event.call.started {
                    calls[index] = event.call
                }
            case .usageRecorded(let event): usage[Self.identity(event.row)] = event.row
            case .billAllocated(let event): bills["\(event.projectID) \(event.day) \(event.lineItem)"] = event
            case .billTookForce(let event): inForce.insert("\(event.projectID) \(event.day)")
            case .billLeftForce(let event): inForce.remove("\(event.projectID) \(event.day)")
            case .attributionAssigned(let event): owners[event.apiKeyID] = event.project
            default: break
            }
        }

        static func identity(_ row: WireUsageRow) -> String {
            "\(row.projectID) \(row.apiKeyID) \(row.model) \(row.serviceTier) \(row.bucketStart)"
        }

        private func isBilled(_ project: String?, _ second: Int64) -> Bool {
            let day = Day(utc: Timestamp(seconds: second)).description
            guard let project else { return inForce.contains { $0.hasSuffix(day) } }
            return inForce.contains("\(project) \(day)")
        }

        private func project(of call: WireCallRecorded) -> String? {
            call.hasProviderProjectID ? call.providerProjectID : nil
        }

        private func hour(_ call: WireCallRecorded) -> Int64 { call.started / 3_600_000_000 * 3_600 }

        private func matches(_ call: WireCallRecorded, key: String, project: String, model: String, _ hour: Int64)
            -> Bool
        {
            self.hour(call) == hour && call.model == model && (!call.hasProviderKeyID || call.providerKeyID == key)
                && (!call.hasProviderProjectID || call.providerProjectID == project)
        }

        private func replaces(_ row: WireUsageRow, _ call: WireCallRecorded) -> Bool {
            row.quantities != WireQuantities() && row.serviceTier == call.serviceTier
                && matches(call, key: row.apiKeyID, project: row.projectID, model: row.model, row.bucketStart)
        }

        /// Largest remainder, as a person would do it.
        private func split(_ amount: Int64, _ calls: [WireCallRecorded]) -> [String: Int64] {
            var weights: [String: Int64] = [:]
            let isPriced = calls.allSatisfy { $0.hasCost } && calls.contains { $0.cost.nanos > 0 }
            for call in calls {
                weights[call.project, default: 0] +=
                    isPriced ? call.cost.nanos : call.quantities.inputTokens + call.quantities.outputTokens
            }
            let total = weights.values.reduce(0, +)
            var parts = weights.mapValues { amount * $0 / total }
            let rests = weights.map { ($0.key, amount * $0.value % total) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
            for (project, _) in rests.prefix(Int(amount - parts.values.reduce(0, +))) { parts[project]! += 1 }
            return parts
        }

        func best() -> [String?: Int128] {
            var sums: [String?: Int128] = [:]
            func add(_ nanos: Int64, _ owner: String?, among sharing: [WireCallRecorded]) {
                if sharing.isEmpty { return sums[owner, default: 0] += Int128(nanos) }
                for (project, part) in split(nanos, sharing) { sums[project, default: 0] += Int128(part) }
            }
            for call in calls where !isBilled(project(of: call), hour(call)) {
                if usage.values.contains(where: { replaces($0, call) }) { continue }
                sums[call.project, default: 0] += Int128(call.cost.nanos)
            }
            for row in usage.values where !isBilled(row.projectID, row.bucketStart) {
                let sharing = calls.filter {
                    $0.serviceTier == row.serviceTier
                        && matches($0, key: row.apiKeyID, project: row.projectID, model: row.model, row.bucketStart)
                }
                add(row.cost.nanos, owners[row.apiKeyID], among: sharing)
            }
            for bill in bills.values where inForce.contains("\(bill.projectID) \(bill.day)") {
                for part in bill.parts {
                    let sharing = calls.filter {
                        matches($0, key: part.apiKeyID, project: bill.projectID, model: part.model, part.hour)
                    }
                    add(part.nanos, owners[part.apiKeyID], among: sharing)
                }
            }
            return sums.filter { $0.value != 0 }
        }
    }

    private static func events(seed: UInt64) -> [FinOpsEvent] {
        var random = SeededGenerator(seed: seed)
        func pick<Value>(_ values: [Value]) -> Value { values.randomElement(using: &random)! }
        let hours = ["2026-11-19T04", "2026-11-19T05", "2026-11-20T00"]
        let models = ["gpt-4o", "gpt-4o-mini"]
        let keys = ["key-a", "key-b"]
        let tiers = ["default", "priority"]
        var known: [WireCallRecorded] = []
        return (0..<100).map { index in
            switch Int.random(in: 0..<(known.isEmpty ? 6 : 14), using: &random) {
            case 12...:
                let place = known.indices.randomElement(using: &random)!
                let event = repriced(known[place], nanos: pick([1, 7, 1_000, 33_333]), version: pick(["v1", "v2"]))
                known[place] = event.call
                return .callRepriced(event)
            case 0..<6:
                let event = called(
                    "call-\(Int.random(in: 0..<70, using: &random))", at: pick(hours), project: pick(["a", "b", "c"]),
                    providerKey: pick(keys + [nil]), providerProject: pick(["proj-1", "proj-2", nil]),
                    model: pick(models), tier: pick(tiers), nanos: pick([nil, 1, 7, 1_000, 33_333]),
                    task: pick(["", "chat"]))
                if case .callRecorded(let call) = event,
                    !known.contains(where: { $0.call == call.call && $0.started == call.started })
                {
                    known.append(call)
                }
                return event
            case 6..<9:
                let counted = Int64.random(in: 0...3, using: &random)
                var row = usage(
                    pick(hours), key: pick(keys), model: pick(models), project: pick(["proj-1", "proj-2"]),
                    input: counted * 10, output: counted, nanos: counted * 7_919, requests: counted)
                row.serviceTier = pick(tiers)
                return recorded(row)
            case 9:
                let nanos = Int64.random(in: 1...99_999, using: &random)
                let hour = pick(hours)
                return allocated(
                    day: String(hour.prefix(10)), project: pick(["proj-1", "proj-2"]), item: pick(models), nanos: nanos,
                    parts: [(hour, pick(keys), pick(models), nanos)])
            case 10:
                let (day, project) = (pick(["2026-11-19", "2026-11-20"]), pick(["proj-1", "proj-2"]))
                return Bool.random(using: &random)
                    ? tookForce(day: day, project: project) : leftForce(day: day, project: project)
            default:
                return assigned(key: pick(keys), team: "t", project: pick(["x", "y"]), version: UInt64(index))
            }
        }
    }

    @Test(arguments: UInt64(0)..<12)
    func bestIsWhatBruteForceSaysWhateverTheBatches(seed: UInt64) async throws {
        let events = Self.events(seed: seed)
        var facts = Facts()
        let log = ScenarioLog()
        let keeper = log.keeper()
        _ = try await keeper.open()
        var random = SeededGenerator(seed: seed)
        var rest = events[...]
        var position: UInt64 = 0
        while !rest.isEmpty {
            let step = rest.prefix(Int.random(in: 1...9, using: &random))
            rest = rest.dropFirst(step.count)
            try await log.append(Array(step))
            for event in step { facts.take(event) }
            let page = try await log.store.read(after: Position(position), limit: 100, types: nil)
            let batch = SubscriptionBatch(
                events: page.events, scannedThrough: page.scannedThrough, head: page.scannedThrough)
            #expect(try await keeper.apply(batch))
            position = page.scannedThrough.value
            let expected = facts.best()
            for by: [CostDimension] in [[.project], [.project, .hour], [.project, .key]] {
                #expect(try Self.costs(log, by) == expected, "seed \(seed), position \(position), by \(by)")
            }
        }
        await keeper.close()
        let live = try log.digest()
        #expect(try await log.rebuild() == live, "seed \(seed)")
        let estimated = try log.query(from: "2026-11-01", to: "2026-11-30", basis: .estimated).total.cost
        #expect(estimated == facts.calls.reduce(0) { $0 + Int128($1.cost.nanos) })
    }

    /// Statements about different things may come in any order: calls late, usage before them.
    @Test(arguments: UInt64(100)..<106)
    func theOrderOfDifferentSubjectsDoesNotMatter(seed: UInt64) async throws {
        var seen: Set<String> = []
        let events = Self.events(seed: seed).filter { event in
            switch event {
            case .callRecorded(let call): seen.insert(call.call).inserted
            case .callRepriced: false
            case .usageRecorded(let event): seen.insert(Facts.identity(event.row)).inserted
            case .billAllocated(let event): seen.insert("\(event.projectID) \(event.day) \(event.lineItem)").inserted
            case .billTookForce(let event): seen.insert("force \(event.projectID) \(event.day)").inserted
            case .billLeftForce: false
            case .attributionAssigned(let event): seen.insert("owner \(event.apiKeyID)").inserted
            default: true
            }
        }
        var random = SeededGenerator(seed: seed)
        var answers: [[String?: Int128]] = []
        for events in [events, events.reversed(), events.shuffled(using: &random)] {
            let log = ScenarioLog()
            try await log.append(Array(events))
            try await log.catchUp()
            answers.append(try Self.costs(log, [.project]))
        }
        #expect(answers[0] == answers[1] && answers[0] == answers[2], "seed \(seed)")
    }

    /// Alerts go by the same figures: the watch is held to them to the nano-dollar, fed as things happen and page by page.
    @Test(arguments: UInt64(200)..<212)
    func theWatchCountsTheSame(seed: UInt64) async throws {
        let events = Self.asWritten(Self.events(seed: seed))
        var random = SeededGenerator(seed: seed)
        let log = ScenarioLog()
        try await log.append(events)
        try await log.catchUp()
        let expected = try Self.costs(log, [.project])
        var live = ThresholdWatch(currency: .usd)
        Self.arm(&live, level: 100, with: [])
        _ = live.settle(at: Position(1))
        for event in events {
            if let day = event.costDay {
                live.take(event, of: day)
            } else if live.evolve(event, recorded: Self.saturday) {
                live.lookAtAll(Self.saturday)
            }
            if Bool.random(using: &random) { _ = live.settle(at: Position(2)) }
        }
        _ = live.settle(at: Position(3))
        Self.arm(&live, level: 50, with: [])
        #expect(Self.costs(live.settle(at: Position(4))) == expected, "seed \(seed)")

        var read = ThresholdWatch(currency: .usd)
        for event in events where event.costDay == nil { _ = read.evolve(event, recorded: Self.saturday) }
        Self.arm(&read, level: 100, with: events)
        #expect(Self.costs(read.settle(at: Position(5))) == expected, "seed \(seed)")
    }

    private static let saturday = Timestamp(rfc3339: "2026-11-21T00:00:00Z")!

    private static func arm(_ watch: inout ThresholdWatch, level: UInt32, with events: [FinOpsEvent]) {
        for project in ["a", "b", "c", "x", "y"] {
            let event = WireThresholdSet.with {
                ($0.scope, $0.name, $0.levels, $0.zone) = ("project", project, [level], "Asia/Seoul")
                $0.weekly = usd(nanos: 1).wire
            }
            _ = watch.evolve(.thresholdSet(event), recorded: saturday)
        }
        for day in watch.missingDays(around: saturday) {
            watch.insert(events.filter { $0.costDay == day }, for: day)
        }
        watch.lookAtAll(saturday)
    }

    private static func costs(_ found: [FinOpsEvent]) -> [String?: Int128] {
        var costs: [String?: Int128] = [:]
        for event in found {
            if case .thresholdCrossed(let crossed) = event { costs[crossed.name] = Int128(crossed.cost.nanos) }
        }
        return costs
    }

    /// As collectors and gateways write it: a row that is there already is restated, and a call is said once.
    private static func asWritten(_ events: [FinOpsEvent]) -> [FinOpsEvent] {
        var rows: [String: WireUsageRow] = [:]
        var seen: Set<String> = []
        return events.compactMap { event in
            switch event {
            case .callRecorded(let call):
                return seen.insert("\(call.call) \(call.started)").inserted ? event : nil
            case .usageRecorded(let recorded):
                let known = rows.updateValue(recorded.row, forKey: Facts.identity(recorded.row))
                guard let known else { return event }
                return .usageRestated(
                    .with {
                        ($0.row, $0.observed) = (recorded.row, recorded.observed)
                        ($0.previous, $0.previousCost) = (known.quantities, known.cost)
                        $0.difference = usd(nanos: recorded.row.cost.nanos - known.cost.nanos).wire
                    })
            default: return event
            }
        }
    }

    private static func costs(_ log: ScenarioLog, _ by: [CostDimension]) throws -> [String?: Int128] {
        var sums: [String?: Int128] = [:]
        for row in try log.query(by, from: "2026-11-01", to: "2026-11-30").rows {
            sums[row.dimensions[0], default: 0] += row.sums.cost
        }
        return sums.filter { $0.value != 0 }
    }
}
