import Foundation

/// What is killed: every program of a pipeline, its supervisor, and the commands that people type meanwhile.
enum ChaosTarget: String, CaseIterable, Sendable {
    case eventLog = "event-log serve"
    case projector = "projector run"
    case attributor = "attributor run"
    case ingest = "ingest-openai run"
    case backfill = "ingest-openai backfill"
    case reporter = "reporter costs"
    case supervisor = "finops up"

    init?(commandLine: String) {
        let words = commandLine.split(separator: " ").prefix(2)
        guard words.count == 2, let program = words[0].split(separator: "/").last else { return nil }
        self.init(rawValue: "\(program) \(words[1])")
    }
}

/// How much, and by which seed: `FINOPS_CHAOS_KILLS` and `FINOPS_CHAOS_SEED`, which `Ops/chaos` sets.
struct ChaosPlan {
    private static let killsOfEach = 20

    let kills: Int
    let seed: UInt64

    init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
        kills = environment["FINOPS_CHAOS_KILLS"].flatMap { Int($0) } ?? Self.killsOfEach * ChaosTarget.allCases.count
        seed = environment["FINOPS_CHAOS_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
    }

    /// For the kills alone: twice as long as they take on an idle machine. A busy one gets fewer of them.
    var limit: Duration { max(.seconds(60), .milliseconds(1_200) * kills) }
    /// How often each program has to be killed for the run to say something.
    var leastOfEach: Int { kills / ChaosTarget.allCases.count / 2 }
}
