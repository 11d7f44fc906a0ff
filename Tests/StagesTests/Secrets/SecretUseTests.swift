import EventLog
import FinOps
import Stages
import TestSupport
import Testing

@Suite struct SecretUseTests {
    private static let now: @Sendable () -> Timestamp = { Timestamp(seconds: 1_795_334_400) }
    private let uses = SecretUse(stage: "notifier", now: now)

    private func version(_ number: Int, created: Int64 = 1) -> SecretVersion {
        .init(id: "channel-slack", purpose: "notification-channel", number: number, created: created)
    }

    private func recorded(_ store: InMemoryEventStore) async throws -> [WireSecretUsed] {
        try await store.readAll(stream: .secret("channel-slack")).compactMap {
            if case .secretUsed(let used) = try EventCatalogue.decode($0.event) { used } else { nil }
        }
    }

    @Test func aSecretsUseIsInTheLogOnceForEachOfItsVersions() async throws {
        let store = InMemoryEventStore(knownTypes: EventCatalogue.knownTypes, now: Self.now)
        for number in [1, 1, 2, 1] { try await uses.record(version(number), for: "channel/slack", in: store) }
        try await uses.record(version(1, created: 2), for: "channel/slack", in: store)
        let used = try await recorded(store)
        #expect(used.map(\.version) == [1, 2, 1])
        #expect(used.allSatisfy { $0.stage == "notifier" && $0.subject == "channel/slack" })
        #expect(used.allSatisfy { $0.secretID == "channel-slack" && $0.purpose == "notification-channel" })
    }

    @Test func aUseThatTheLogDidNotTakeIsSaidAgain() async throws {
        // A log that knows no such event refuses it.
        let refusing = InMemoryEventStore(knownTypes: ["run.started"], now: Self.now)
        await #expect(throws: StoreError.self) {
            try await uses.record(version(1), for: "channel/slack", in: refusing)
        }
        let store = InMemoryEventStore(knownTypes: EventCatalogue.knownTypes, now: Self.now)
        try await uses.record(version(1), for: "channel/slack", in: store)
        #expect(try await recorded(store).count == 1)
    }
}
