import EventLog
import Foundation
import Testing
import ZeroMQ

@testable import Messaging

@Suite struct CurveTests {
    private let server: CurveKeyPair
    private let ingest: CurveKeyPair
    private let stranger: CurveKeyPair

    init() throws {
        server = try .generate()
        ingest = try .generate()
        stranger = try .generate()
    }

    private func withSecureLog(_ body: @escaping @Sendable (RunningLog) async throws -> Void) async throws {
        let access = AccessList([
            ingest.publicKey: .init(types: ["usage.recorded"], producers: ["ingest-openai"])
        ])
        let tcp = LogEndpoints(requests: "tcp://127.0.0.1:*", events: "tcp://127.0.0.1:*")
        try await RunningLog.with(configure: {
            $0.remote = SecureEndpoints(endpoints: tcp, keys: server, access: access)
        }) { try await body($0) }
    }

    private func options(_ log: RunningLog, _ keys: CurveKeyPair, server: CurvePublicKey) -> RemoteLogOptions {
        var options = RemoteLogOptions(endpoints: log.remote!, curve: CurveClient(keys: keys, server: server))
        options.deadlineMilliseconds = 1_000
        return options
    }

    @Test func aListedKeyAppendsReadsAndListens() async throws {
        try await withSecureLog { [self] log in
            var options = options(log, ingest, server: server.publicKey)
            options.deadlineMilliseconds = 30_000
            let store = RemoteEventStore(options)
            defer { store.close() }
            let session = try await store.openSession("ingest-openai")
            let reading = Task {
                for try await batch in LiveSubscription(options, reader: store).subscribe(after: .start, types: nil)
                where !batch.events.isEmpty { return batch.events.map(\.position) }
                return []
            }
            _ = try await store.append(session.request(1, StreamAppend("s", [numbered(1)])))
            #expect(try await reading.value == [Position(1)])
        }
    }

    @Test func aListedKeyAppendsOnlyItsTypesAndOnlyAsItsProducer() async throws {
        try await withSecureLog { [self] log in
            let store = RemoteEventStore(options(log, ingest, server: server.publicKey))
            defer { store.close() }
            let session = try await store.openSession("ingest-openai")
            await #expect(throws: StoreError.refused(.notAllowed(reason: "this key may not append bill.recorded"))) {
                try await store.append(
                    session.request(
                        1, StreamAppend("s", [numbered(1)]), StreamAppend("b", [numbered(2, type: "bill.recorded")])))
            }
            await #expect(throws: StoreError.refused(.notAllowed(reason: "this key may not be the producer attributor"))) {
                try await store.openSession("attributor")
            }
            #expect(log.store.head == .start)
            #expect(log.server.incidents["not-allowed"] == 2)
        }
    }

    @Test func aKeyThatIsNotListedDoesNotConnect() async throws {
        try await withSecureLog { [self] log in
            let store = RemoteEventStore(options(log, stranger, server: server.publicKey))
            defer { store.close() }
            await #expect(throws: StoreError.self) { try await store.head() }
            #expect(log.server.incidents["key-denied", default: 0] > 0)
        }
    }

    @Test func aClientOfAnotherServerKeyIsRefusedAndCounted() async throws {
        try await withSecureLog { [self] log in
            let store = RemoteEventStore(options(log, ingest, server: stranger.publicKey))
            defer { store.close() }
            await #expect(throws: StoreError.self) { try await store.head() }
            try await eventually { log.server.incidents["handshake-failed", default: 0] > 0 }
        }
    }

    @Test func withoutCurveNobodyGetsInByTheNetwork() async throws {
        try await withSecureLog { log in
            var options = RemoteLogOptions(endpoints: log.remote!)
            options.deadlineMilliseconds = 1_000
            let store = RemoteEventStore(options)
            defer { store.close() }
            await #expect(throws: StoreError.self) { try await store.head() }
            try await eventually { log.server.incidents["handshake-failed", default: 0] > 0 }
        }
    }

    @Test func aSecretKeyDescribesItselfAsNothing() {
        let text = server.secretKey.revealText()
        #expect(!"\(server)".contains(text))
        #expect(!String(reflecting: server).contains(text))
        var dumped = ""
        dump(server, to: &dumped)
        #expect(!dumped.contains(text))
    }

    @Test func keysThatDoNotBelongTogetherAreNoPair() {
        #expect(CurveKeyPair(publicKey: stranger.publicKey, secretKey: server.secretKey) == nil)
        #expect(CurvePublicKey(text: "too short") == nil)
    }
}
