import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct KeyTableTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    private func hash(_ byte: UInt8) throws -> KeyHash { try #require(KeyHash([UInt8](repeating: byte, count: 32))) }

    private func at(_ seconds: Int64) -> Timestamp { Self.start.advanced(bySeconds: seconds) }

    private func table(_ events: FinOpsEvent...) -> KeyTable {
        var log = TestLog()
        for event in events { log.append(event, to: "any", at: Self.start) }
        var table = KeyTable(gateway: "gateway")
        for (event, recorded) in log.events { table.take(event, recorded) }
        return table
    }

    private func facts(_ answer: KeyAnswer) throws -> KeyFacts {
        guard case .accepted(let facts) = answer else { throw Unaccepted(answer: answer) }
        return facts
    }

    private struct Unaccepted: Error { let answer: KeyAnswer }

    @Test func onlyAnIssuedKeyIsAccepted() throws {
        let table = table(Gatewayed.issued("key-1"))
        #expect(try facts(table.answer(to: try hash(1), at: Self.start)).project == "chat")
        #expect(table.answer(to: try hash(2), at: Self.start) == .refused(.unknown))
    }

    /// A look-up that ended with the first byte that differs would tell by its time how near a guess came.
    @Test func everyByteOfAHashCounts() throws {
        let table = table(Gatewayed.issued("key-1"))
        for place in 0..<KeyHash.byteCount {
            var bytes = [UInt8](repeating: 1, count: KeyHash.byteCount)
            bytes[place] ^= 0x80
            #expect(table.answer(to: try #require(KeyHash(bytes)), at: Self.start) == .refused(.unknown))
        }
    }

    @Test func aKeyIsAcceptedUntilItExpires() throws {
        let table = table(Gatewayed.issued("key-1", expires: at(10).seconds))
        let known = try facts(table.answer(to: try hash(1), at: at(9)))
        #expect(table.answer(to: try hash(1), at: at(10)) == .refused(.expired(known)))
    }

    @Test func bothValuesAreAcceptedWhileAKeyRotates() throws {
        let table = table(
            Gatewayed.issued("key-1"),
            Gatewayed.rotated("key-1", prefix: "fo-bbbb", hash: 2, oldValidUntil: at(60).seconds))
        let known = try facts(table.answer(to: try hash(2), at: at(99)))
        #expect(known.prefix == "fo-bbbb")
        // A refusal is to name the value that was shown.
        let replaced = try facts(table.answer(to: try hash(1), at: at(59)))
        #expect(replaced.id == known.id && replaced.prefix == "fo-aaaa")
        #expect(table.answer(to: try hash(1), at: at(60)) == .refused(.replaced(replaced)))
    }

    @Test func aSecondRotationEndsTheFirstValueAtOnce() throws {
        let table = table(
            Gatewayed.issued("key-1"),
            Gatewayed.rotated("key-1", prefix: "fo-bbbb", hash: 2, oldValidUntil: at(60).seconds),
            Gatewayed.rotated("key-1", prefix: "fo-cccc", hash: 3, oldValidUntil: at(60).seconds))
        #expect(table.answer(to: try hash(1), at: at(1)) == .refused(.unknown))
        #expect(try facts(table.answer(to: try hash(2), at: at(1))).prefix == "fo-bbbb")
        #expect(try facts(table.answer(to: try hash(3), at: at(1))).prefix == "fo-cccc")
    }

    @Test func aDisabledKeyIsRefusedWithBothItsValuesUntilItIsGivenBack() throws {
        let rotated = Gatewayed.rotated("key-1", prefix: "fo-bbbb", hash: 2, oldValidUntil: at(60).seconds)
        let history = [Gatewayed.issued("key-1"), rotated, Gatewayed.disabled("key-1")]
        let stopped = table(history[0], history[1], history[2])
        for value in [UInt8(1), 2] {
            guard case .refused(.disabled(let facts, let reason)) = stopped.answer(to: try hash(value), at: at(1))
            else {
                Issue.record("value \(value) is not refused")
                continue
            }
            #expect(facts.id == "key-1" && reason == "runaway")
        }
        let back = table(history[0], history[1], history[2], Gatewayed.reactivated("key-1"))
        #expect(try facts(back.answer(to: try hash(2), at: at(1))).id == "key-1")
    }

    @Test func anEventFromBeforeItsPositionChangesNothing() throws {
        var log = TestLog()
        log.append(Gatewayed.issued("key-1"), to: "key-key-1", at: Self.start)
        log.append(Gatewayed.disabled("key-1"), to: "key-key-1", at: Self.start)
        var table = KeyTable(gateway: "gateway")
        for (event, recorded) in log.events { table.take(event, recorded) }
        // What was told before comes again, and a reactivation that somebody made up with an old position.
        table.take(log.events[0].event, log.events[0].recorded)
        table.take(Gatewayed.reactivated("key-1"), log.events[1].recorded)
        #expect(table.position == Position(2))
        guard case .refused(.disabled) = table.answer(to: try hash(1), at: Self.start) else {
            Issue.record("the key is accepted again")
            return
        }
    }

    @Test func modelsAndRoutesAreHeldToTheKeysLists() throws {
        let table = table(
            Gatewayed.issued("key-1", models: ["gpt-4o-mini", "o#-*"], routes: ["/v1/chat/*", "/v1/embeddings"]),
            Gatewayed.issued("key-2", hash: 2))
        let narrow = try facts(table.answer(to: try hash(1), at: Self.start))
        for model in ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "o3-pro"] { #expect(narrow.allows(model: model)) }
        for model in ["gpt-4o", "gpt-4o-mini-realtime", "GPT-4O-MINI", "", "o-3"] {
            #expect(!narrow.allows(model: model), "\(model)")
        }
        #expect(narrow.allows(route: "/v1/chat/completions") && narrow.allows(route: "/v1/embeddings"))
        #expect(!narrow.allows(route: "/v1/images/generations"))
        let wide = try facts(table.answer(to: try hash(2), at: Self.start))
        #expect(wide.allows(model: "anything") && wide.allows(route: "/v1/anything"))
    }

    // MARK: Acknowledging

    @Test func aDecisionIsAcknowledgedOnceWithTheLastRequestBeforeIt() throws {
        var log = TestLog()
        log.append(Gatewayed.issued("key-1"), to: "key-key-1", at: Self.start)
        log.append(Gatewayed.disabled("key-1"), to: "key-key-1", at: at(5))
        var table = KeyTable(gateway: "gateway")
        table.take(log.events[0].event, log.events[0].recorded)
        table.accept("key-1", call: "call-7", at: at(4))
        #expect(table.enforcements(at: at(5)).isEmpty)
        table.take(log.events[1].event, log.events[1].recorded)
        let said = table.enforcements(at: at(6))
        #expect(
            said == [
                .with {
                    $0.key = "key-1"
                    $0.gateway = "gateway"
                    $0.decision = 2
                    $0.decided = at(5).microseconds
                    $0.enforced = at(6).microseconds
                    $0.lastAccepted = at(4).microseconds
                    $0.lastCall = "call-7"
                }
            ])
        #expect(table.enforcements(at: at(7)).isEmpty)
    }

    @Test func aDrillIsAcknowledgedAndRefusesNothing() throws {
        var table = table(Gatewayed.issued("key-1"), Gatewayed.disabled("key-1", cause: "drill"))
        #expect(table.enforcements(at: at(1)).map(\.drill) == [true])
        #expect(try facts(table.answer(to: try hash(1), at: at(1))).id == "key-1")
    }

    @Test func whatTheLogHasFromThisGatewayIsNotSaidAgain() {
        func enforced(by gateway: String) -> FinOpsEvent {
            .keyDisablementEnforced(
                .with {
                    $0.key = "key-1"
                    $0.gateway = gateway
                    $0.decision = 2
                })
        }
        let history = [Gatewayed.issued("key-1"), Gatewayed.disabled("key-1")]
        var mine = table(history[0], history[1], enforced(by: "gateway"))
        #expect(mine.enforcements(at: at(1)).isEmpty)
        var others = table(history[0], history[1], enforced(by: "second"))
        #expect(others.enforcements(at: at(1)).count == 1)
        var takenBack = table(history[0], history[1], Gatewayed.reactivated("key-1"))
        #expect(takenBack.enforcements(at: at(1)).isEmpty)
    }

    // MARK: Upstreams

    @Test func anUpstreamThatNamesTheModelComesFirst() {
        func upstream(_ name: String, _ provider: String, _ models: String...) -> FinOpsEvent {
            .upstreamSet(
                .with { set in
                    set.name = name
                    set.provider = provider
                    set.deployments = models.map { model in
                        .with {
                            $0.model = model
                            $0.deployment = "d-\(model)"
                        }
                    }
                })
        }
        let table = table(
            upstream("main", "openai"), upstream("second", "openai"), upstream("eu", "azure", "gpt-4o"),
            upstream("claude", "anthropic"), upstream("local", "openai", "llama-3"))
        #expect(table.upstream(isAnthropic: false, model: "gpt-4o", project: "chat")?.name == "eu")
        #expect(
            table.upstream(isAnthropic: false, model: "gpt-4o", project: "chat")?.deployments["gpt-4o"] == "d-gpt-4o")
        #expect(table.upstream(isAnthropic: false, model: "llama-3", project: "chat")?.name == "local")
        #expect(table.upstream(isAnthropic: false, model: "o3", project: "chat")?.name == "main")
        #expect(table.upstream(isAnthropic: true, model: "gpt-4o", project: "chat")?.name == "claude")
        #expect(KeyTable(gateway: "g").upstream(isAnthropic: false, model: "o3", project: "chat") == nil)
    }

    // MARK: Policy

    @Test func aReachedLimitEndsTheKeysOfItsScope() {
        let crossing = WireThresholdCrossed.with {
            ($0.scope, $0.name, $0.window, $0.firstDay) = ("team", "apps", "day", "2027-01-15")
            ($0.level, $0.windowEnd) = (100, at(100).seconds)
            ($0.cost.nanos, $0.cost.currency) = (5_100_000_000, "USD")
            ($0.limit.nanos, $0.limit.currency) = (5_000_000_000, "USD")
        }
        func table(policy: String) -> KeyTable {
            self.table(
                Gatewayed.added("chat", team: "apps"), Gatewayed.added("draw", team: "art"),
                Gatewayed.issued("key-2"), Gatewayed.issued("key-1", hash: 2),
                Gatewayed.issued("key-3", project: "draw", hash: 3), Gatewayed.issued("key-4", hash: 4),
                Gatewayed.issued("key-5", hash: 5, expires: at(10).seconds), Gatewayed.disabled("key-4"),
                Watched.threshold(.team("apps"), daily: 500, policy: policy))
        }
        let events = PolicyReaction.events(for: crossing, table(policy: "disable-keys"), at: at(50))
        #expect(events.map(\.stream) == [.key("key-1"), .key("key-2")])
        let reason = #"team "apps" has spent 5.100000000 USD of 5.000000000 USD in the day of 2027-01-15"#
        #expect(events.first?.event == Gatewayed.disabled("key-1", cause: "policy", reason: reason))
        #expect(PolicyReaction.events(for: crossing, table(policy: "block"), at: at(50)).isEmpty)
        #expect(PolicyReaction.events(for: crossing, table(policy: "disable-keys"), at: at(100)).isEmpty)
        var lower = crossing
        lower.level = 80
        #expect(PolicyReaction.events(for: lower, table(policy: "disable-keys"), at: at(50)).isEmpty)
    }
}
