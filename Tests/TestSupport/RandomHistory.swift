package import EventLog
package import FinOps
import SwiftProtobuf

/// Commits as collectors, the attributor and administrators make them, in any order.
package struct RandomHistory: Sendable {
    package var random: SeededGenerator
    private var rows: [[Int64]: Int64] = [:]
    private var clock: Int64
    private var versions: UInt64 = 0
    private var calls = 0
    private let base: Day
    private static let zones = ["Asia/Seoul", "America/New_York", "UTC", "Australia/Lord_Howe"]

    package init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        // Around clock changes, or not.
        base = Day(["2026-03-08", "2026-04-05", "2026-11-01", "2026-11-20"].randomElement(using: &random)!)!
        clock = base.utcStart.seconds
    }

    /// Unix seconds of the day that it turns around.
    package var start: Int64 { base.utcStart.seconds }

    /// - Returns: events, and when the log took them.
    package mutating func commit() -> ([FinOpsEvent], Timestamp) {
        // Clocks go on, mostly; the log's never goes back, the pipeline's may.
        clock += Int64.random(in: 60...20_000, using: &random)
        if chance(25) { clock += Int64.random(in: -40...40, using: &random) * 86_400 }
        return (events(), Timestamp(seconds: clock))
    }

    private mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

    private mutating func events() -> [FinOpsEvent] {
        switch Int.random(in: 0..<24, using: &random) {
        case 20..<23: (0..<Int.random(in: 1...6, using: &random)).map { _ in call() }
        case 23: [moved()]
        case 0..<10: (0..<Int.random(in: 1...6, using: &random)).map { _ in usage() }
        case 10..<12: [bill()]
        case 12: [bill(), assigned()]
        case 13:
            [chance(3) ? Watched.leftForce(someDay, project: project) : Watched.tookForce(someDay, project: project)]
        case 14..<16: (0..<Int.random(in: 1...2, using: &random)).map { _ in assigned() }
        case 16: [Watched.removed(scope)]
        default: [threshold()]
        }
    }

    private var someDay: String {
        mutating get {
            // Mostly recent days, sometimes far away.
            let days = chance(12) ? Int.random(in: -90...30, using: &random) : Int.random(in: -9...3, using: &random)
            return base.advanced(by: days).description
        }
    }

    private var number: Int64 { mutating get { Int64.random(in: 0..<4, using: &random) } }
    private var project: String { mutating get { "proj_\(Int.random(in: 0..<2, using: &random))" } }

    private var scope: CostScope {
        mutating get {
            switch Int.random(in: 0..<3, using: &random) {
            case 0: .organisation
            case 1: .team("team-\(Int.random(in: 0..<2, using: &random))")
            default: .project("project-\(Int.random(in: 0..<3, using: &random))")
            }
        }
    }

    private mutating func usage() -> FinOpsEvent {
        let (day, hour, key) = (someDay, Int64.random(in: 0..<24, using: &random), number)
        let place = [Int64(Day(day)!.number), hour, key]
        let cents = Int64.random(in: 0...600, using: &random)
        defer { rows[place] = cents }
        let project = "proj_\(key % 2)"
        let tier = key == 3 ? "priority" : key == 2 ? "default" : nil
        guard let before = rows[place] else {
            return Watched.usage(cents, day, hour, key: "key_\(key)", project: project, tier: tier)
        }
        return Watched.restated(cents, from: before, day, hour, key: "key_\(key)", project: project, tier: tier)
    }

    /// Through a gateway; where usage and bills are, mostly, with keys that it knows, or does not.
    private mutating func call() -> FinOpsEvent {
        calls += 1
        let key = number
        return Watched.call(
            chance(8) ? nil : Int64.random(in: 0...400, using: &random), someDay,
            chance(2) ? number * 5 : Int64.random(in: 0..<24, using: &random),
            of: "project-\(Int.random(in: 0..<3, using: &random))", gatewayKey: "key-\(number)",
            providerKey: chance(3) ? nil : "key_\(key)", providerProject: chance(2) ? nil : "proj_\(key % 2)",
            tier: key == 3 || chance(9) ? "priority" : "default", id: "call-\(calls)")
    }

    private mutating func moved() -> FinOpsEvent {
        let (project, team) = (
            "project-\(Int.random(in: 0..<3, using: &random))", "team-\(Int.random(in: 0..<2, using: &random))"
        )
        if chance(2) { return Watched.added(project, team) }
        let from = Day(someDay)!.utcStart.seconds + number * 3_600
        return .projectMoved(
            .with {
                ($0.project, $0.team, $0.from) = (project, team, from)
            })
    }

    private mutating func bill() -> FinOpsEvent {
        let parts = (0..<Int.random(in: 0...4, using: &random)).map { number in
            (hour: Int64(number) * 5, cents: Int64.random(in: -300...900, using: &random))
        }
        return Watched.bill(parts, someDay, key: "key_\(number)", project: project)
    }

    private mutating func assigned() -> FinOpsEvent {
        versions += 1
        let project = Int.random(in: 0..<3, using: &random)
        let from = chance(2) ? nil : Day(someDay)!.utcStart.seconds + number * 3_600
        return Watched.assigned(
            chance(3) ? .providerProjectID(self.project) : .apiKeyID("key_\(number)"), to: "project-\(project)",
            "team-\(project % 2)", from: from, version: versions)
    }

    private mutating func threshold() -> FinOpsEvent {
        let kinds = Int.random(in: 1...3, using: &random)
        return Watched.threshold(
            scope, daily: kinds & 1 == 0 ? nil : Int64.random(in: 100...2_000, using: &random),
            weekly: kinds & 2 == 0 ? nil : Int64.random(in: 500...8_000, using: &random),
            levels: [[100], [80, 100], [50, 80, 120]].randomElement(using: &random)!,
            zone: Self.zones.randomElement(using: &random)!)
    }
}
