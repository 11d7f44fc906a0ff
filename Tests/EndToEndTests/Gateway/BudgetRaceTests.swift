import EventLog
import Foundation
import Glibc
import Runtime
import Spool
import Synchronization
import TestSupport
import Testing

@testable import FinOps

/// A thousand calls at once against one limit, at two gateways that are killed meanwhile: the limit holds, and what the
/// gateways count is what the log says.
@Suite(.serialized) struct BudgetRaceTests {
    private static let calls = 1_000
    private static let rounds = 20
    /// Nano-dollars: room for about half of the calls.
    private static let limit: Int64 = 2_500_000_000
    /// No call of this test can cost more: 1,400 bytes of input and 300 tokens of output of gpt-4o at the standard tier.
    private static let dearest: Int64 = 1_400 * 2_500 + 300 * 10_000

    /// What a round asks, and the provider's figures for it: never more than the request bounds.
    private struct Round {
        let number: Int
        let project: String
        let key: String
        let bodies: [String]

        init(_ number: Int, key: String, _ random: inout SeededGenerator) {
            self.number = number
            project = "race-\(number)"
            self.key = key
            bodies = (0..<BudgetRaceTests.calls).map { _ in
                let text = String(repeating: "x", count: .random(in: 900...1_200, using: &random))
                return """
                    {"model":"gpt-4o-2024-08-06","messages":[{"role":"user","content":"race-\(number):\(text)"}],\
                    "max_tokens":\(Int.random(in: 200...300, using: &random)),"service_tier":"default"}
                    """
            }
        }
    }

    /// Charges nearly all that a request allows, a little later.
    private static func provider() -> ProviderStandIn {
        ProviderStandIn { request in
            let (input, output) = tokens(request)
            return .later(
                SceneCall.answer(request.number, input: input, output: output), milliseconds: 1 + request.number % 20)
        }
    }

    private static func tokens(_ request: ProviderStandIn.Request) -> (input: Int, output: Int) {
        let most = request.body.split(separator: "\"max_tokens\":").last.flatMap { Int($0.prefix(3)) } ?? 0
        return (request.bodyBytes - 150 - request.number % 50, most - request.number % 7)
    }

    /// Nano-dollars that the provider charges by project, for calls that a kill cut short, too.
    private static func charged(_ requests: [ProviderStandIn.Request]) -> [String: Int64] {
        requests.reduce(into: [:]) { sums, request in
            let project = request.body.split(separator: "\"content\":\"").last?.split(separator: ":").first
            let (input, output) = tokens(request)
            sums[project.map(String.init) ?? "", default: 0] += Int64(input) * 2_500 + Int64(output) * 10_000
        }
    }

    @Test(.timeLimit(.minutes(12))) func noRaceAndNoKillLetsMoreThanTheLimitThrough() async throws {
        let provider = Self.provider()
        var random = SeededGenerator(seed: 1_000)
        let projects = (1...Self.rounds).map { "race-\($0)" }
        try await GatewayScene.with(
            projects: projects, upstreams: [["openai", "--name", "main", "--base-url", provider.url]], atNoon: true
        ) { scene in
            var rounds: [Round] = []
            for number in 1...Self.rounds {
                try await scene.installation.run(
                    "finops", "threshold", "set", "--project", "race-\(number)", "--daily", "2.50", "--policy", "block"
                ).expecting()
                rounds.append(Round(number, key: try await scene.key("race-\(number)").text, &random))
            }
            let pair = RacingPair(scene)
            try await pair.startAll()
            let began = ContinuousClock.now
            for round in rounds { try await race(round, pair, &random) }
            let took = began.duration(to: .now)
            print("budget race: \(Self.rounds) rounds of \(Self.calls) calls took \(took.components.seconds) s")
            #expect(took < .seconds(240), "what continuous integration has for them is four minutes")
            let delivered = pair.delivered
            try await pair.settled()
            try await expectHeld(scene, projects, delivered, provider)
            try await pair.stop()
        }
    }

    private func race(_ round: Round, _ pair: RacingPair, _ random: inout SeededGenerator) async throws {
        let requests = round.bodies.map { SceneCall.post(key: round.key, $0) }
        let calls = requests.map { ParallelCalls.Call(ports: pair.ports, request: $0) }
        // After so many answers one of them is killed, in some rounds both.
        let kill = Int.random(in: 20...600, using: &random)
        let killed = round.number.isMultiple(of: 4) ? [0, 1] : [round.number % 2]
        let answers = await ParallelCalls.run(calls, attempts: 1_000) { ended in
            if ended == kill { pair.kill(killed) }
        }
        let statuses = Dictionary(grouping: answers.map { $0?.status ?? 0 }) { $0 }.mapValues(\.count)
        let refused = answers.count { $0?.status == 429 && $0?.body.contains("insufficient_quota") == true }
        // Killed before the first answer, all that a gateway let through may be set aside, and nobody else be let through.
        #expect(refused > 0, "\(round.project) never met its limit: \(statuses)")
        #expect(statuses[0] == nil, "\(round.project): some calls were never answered: \(statuses)")
        pair.took(answers.compactMap { $0?.status == 200 ? $0?.field("x-request-id") : nil })
        try await pair.areUp()
    }

    private func expectHeld(
        _ scene: GatewayScene, _ projects: [String], _ delivered: [String], _ provider: ProviderStandIn
    ) async throws {
        let calls = try await scene.installation.recordedCalls()
        let attempts = Set(calls.map { "\($0.call) \($0.attempt)" })
        #expect(attempts.count == calls.count, "\(calls.count - attempts.count) attempts are told twice")
        let told = calls.filter { $0.status == 200 && $0.ended == "complete" }.map(\.upstreamRequest)
        #expect(Set(told).count == told.count)
        #expect(Set(delivered).isSubset(of: told), "\(Set(delivered).subtracting(told).count) answers are not told")
        #expect(Set(delivered).count == delivered.count && delivered.count > 20 * Self.rounds)
        var all: Int128 = 0
        let charged = Self.charged(provider.requests)
        #expect(Set(charged.keys) == Set(projects))
        for project in projects {
            let sent = charged[project] ?? 0
            #expect(sent <= Self.limit + Self.dearest, "the provider charges \(project) \(sent)")
            let own = calls.filter { $0.project == project }
            let sum = own.reduce(Int64(0)) { $0 + $1.cost.nanos }
            #expect(own.allSatisfy { $0.unpricedReason.isEmpty && $0.cost.nanos <= Self.dearest })
            // What a kill cuts short on its way may never have reached the provider.
            let answered = own.filter { $0.ended == "complete" }.reduce(Int64(0)) { $0 + $1.cost.nanos }
            #expect(answered <= sent, "\(project) spent \(answered) of \(sent)")
            all += Int128(sum)
        }
        // Each that the provider got is told, those that a kill cut short, too.
        #expect(calls.count >= provider.requests.count, "\(calls.count) of \(provider.requests.count) are told")
        let isCut = calls.filter { $0.ended == "gateway-killed" }
        // Those that were not sent on cost nothing.
        #expect(isCut.contains { $0.cost.nanos > 0 })
        #expect(isCut.allSatisfy { $0.usageEstimated.isEmpty == ($0.cost.nanos == 0) })
        // A limit that is never nearly reached holds nothing; of what a kill cuts short only a part is told.
        #expect(all > Int128(Self.limit) * Int128(projects.count) / 3, "all spent only \(all)")
        try await expectCounted(scene, calls)
    }

    /// What each gateway has written down of its counter is the sum of the events, to the nano-dollar.
    private func expectCounted(_ scene: GatewayScene, _ calls: [WireCallRecorded]) async throws {
        let sums = Dictionary(grouping: calls, by: \.project).mapValues {
            $0.reduce(Int128(0)) { $0 + Int128($1.cost.nanos) }
        }
        // A rehearsal makes a gateway write its state down.
        let key = try await scene.key(projects(of: sums)[0])
        try await scene.installation.run(
            "finops", "key", "disable", key.id, "--reason", "state", "--drill"
        ).expecting()
        for name in RacingPair.names {
            let path = StateDirectory(path: scene.installation.directory).gateway(name) + "/state"
            var counted: [String: Int128] = [:]
            try await eventually("\(name) has counted \(counted), not \(sums)", limit: .seconds(30)) {
                counted = try Self.counted(path, by: name)
                return counted == sums
            }
        }
    }

    private func projects(of sums: [String: Int128]) -> [String] { sums.keys.sorted() }

    /// The counter in a gateway's state, by project.
    private static func counted(_ path: String, by name: String) throws -> [String: Int128] {
        guard let snapshot = try SnapshotFile(path).load() else { return [:] }
        // In front of it are contact, announcements and the length; behind it are prices.
        let mark = Array(#"{"answers":"#.utf8)
        guard
            let start = snapshot.bytes.indices.first(where: { snapshot.bytes[$0...].starts(with: mark) }), start >= 40
        else { return [:] }
        let length = snapshot.bytes[(start - 40)..<(start - 32)].reversed().reduce(0) { $0 << 8 | Int($1) }
        let terms = BudgetTerms(unpricedPerMillion: 1)
        let bytes = Array(snapshot.bytes[(start - 32)..<(start - 32 + length)])
        guard let state = GatewayState(snapshot: bytes, gateway: name, terms: terms) else {
            throw Unexpected("\(name)'s state cannot be read")
        }
        var sums: [String: Int128] = [:]
        for projects in state.budget.spending.slots.values {
            for (project, gateways) in projects {
                sums[project, default: 0] += gateways.values.reduce(0) { $0 + Int128($1) }
            }
        }
        return sums
    }
}

/// Two gateways that are killed and come back.
private final class RacingPair: Sendable {
    static let names = ["gateway", "gateway-2"]
    let ports = Loopback.freePorts(2)
    private let scene: GatewayScene
    private let state = Mutex((gateways: [SceneGateway](), delivered: [String](), kills: 0))

    init(_ scene: GatewayScene) { self.scene = scene }

    func startAll() async throws {
        let gateways = try zip(Self.names, ports).map { try scene.start($0, port: $1) }
        state.withLock { $0.gateways = gateways }
        try await areUp()
    }

    /// Ends them as the kernel would, and starts them again at once.
    func kill(_ places: [Int]) {
        state.withLock { state in
            for place in places { state.gateways[place].program.send(SIGKILL) }
            for place in places {
                // Its spool is locked until the kernel has cleared it away.
                while !state.gateways[place].program.hasEnded { usleep(500) }
                do { state.gateways[place] = try scene.start(Self.names[place], port: ports[place]) } catch {
                    Issue.record("\(error)")
                }
                state.kills += 1
            }
        }
    }

    func areUp() async throws {
        for gateway in state.withLock({ $0.gateways }) { try await gateway.serves() }
    }

    func took(_ requests: [String]) { state.withLock { $0.delivered += requests } }
    var delivered: [String] { state.withLock { $0.delivered } }

    /// Waits until everything that was delivered is in the log.
    func settled() async throws {
        #expect(state.withLock { $0.kills } == 25)
        let delivered = Set(delivered)
        try await eventually("the spools are drained") {
            Set(try await scene.installation.recordedCalls().map(\.upstreamRequest)).isSuperset(of: delivered)
        }
    }

    func stop() async throws {
        for gateway in state.withLock({ $0.gateways }) {
            gateway.program.send(SIGTERM)
            try await gateway.program.wait(limit: .seconds(20)).expecting()
        }
    }
}
