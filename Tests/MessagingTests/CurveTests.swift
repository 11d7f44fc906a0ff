import EventLog
import Foundation
import TestSupport
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
            await #expect(
                throws: StoreError.refused(.notAllowed(reason: "this key may not be the producer attributor"))
            ) {
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

    @Test func aPairFollowsFromItsSecretKey() throws {
        let secret = try #require(CurveSecretKey(text: server.secretKey.revealText()))
        #expect(CurveKeyPair(secretKey: secret)?.publicKey == server.publicKey)
        #expect(CurvePublicKey(text: "too short") == nil)
    }
}

@Suite struct AccessListTests {
    private let key = CurvePublicKey(text: "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")!
    private let other = CurvePublicKey(text: "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")!

    @Test func aLineSaysWhatItsKeyMayAppendAndAsWhom() throws {
        let list = try AccessList(
            text: "# programs\n\n\(key) append=usage.recorded producers=ingest\n\(other) append=*")
        let usage = AppendRequest(producer: "ingest", epoch: 1, sequence: 1, [StreamAppend("s", [numbered(1)])])
        var bill = usage
        bill.streams[0].events.append(numbered(2, type: "bill.recorded"))
        #expect(list.objection(of: key, to: .append(usage)) == nil)
        #expect(list.objection(of: key, to: .append(bill)) == "this key may not append bill.recorded")
        #expect(list.objection(of: key, to: .openSession("other")) != nil)
        #expect(list.objection(of: other, to: .append(bill)) == nil)
    }

    @Test(arguments: ["short append=*", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 may=all"])
    func aLineThatSaysNothingIsNamed(_ line: String) {
        #expect { try AccessList(text: "# first\n\(line)") } throws: { ($0 as? AccessList.Unreadable)?.line == 2 }
    }
}
