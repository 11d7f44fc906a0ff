import Secret
import Synchronization
import TestSupport
import Testing
import Transfer

@Suite struct CurlTransportTests {
    @Test func statusHeadersAndBodyArriveAsTheServerSentThem() async throws {
        let server = LocalServer { _, connection in
            connection.write(answer("418 I'm a teapot", headers: ["X-Request-Id: req_1"], "{\"a\": 1}"))
        }
        let response = try await CurlTransport().send(HTTPRequest(url: server.url + "/v1/x?y=1"))
        #expect(response.status == 418)
        #expect(response.header("x-request-id") == "req_1")
        #expect(String(decoding: response.body, as: UTF8.self) == "{\"a\": 1}")
        #expect(server.seen.first?.hasPrefix("GET /v1/x?y=1 HTTP/1.1\r\n") == true)
    }

    @Test func theSecretGoesToTheServerAndIntoNoDescription() async throws {
        let server = LocalServer { _, connection in connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        }
        let request = HTTPRequest(
            url: server.url, headers: [HTTPHeader("Accept", "application/json")],
            authorization: .init(secret: Secret(Array("sk-admin-planted".utf8))))
        let failure = await #expect(throws: TransferFailure.self) { try await CurlTransport().send(request) }
        #expect(server.seen.first?.contains("Authorization: Bearer sk-admin-planted\r\n") == true)
        #expect(!"\(request) \(String(reflecting: failure))".contains("planted"))
    }

    @Test func aTruncatedBodyIsAFailureThatMayPass() async throws {
        let server = LocalServer { _, connection in
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":")
        }
        let failure = await #expect(throws: TransferFailure.self) {
            try await CurlTransport().send(HTTPRequest(url: server.url))
        }
        #expect(failure?.kind == .truncated)
        #expect(failure?.isRetriable == true)
    }

    @Test func anAnswerThatIsNoHTTPMayPassAndItsRequestMayHaveCounted() async throws {
        let server = LocalServer { _, connection in connection.write("SSH-2.0-elsewhere\r\n") }
        let failure = await #expect(throws: TransferFailure.self) {
            try await CurlTransport().send(HTTPRequest(url: server.url))
        }
        #expect(failure?.kind == .truncated)
        #expect(failure?.isRetriable == true)
        #expect(failure?.requestWasSent == true)
    }

    @Test func aRedirectIsAnAnswerAndIsNotFollowed() async throws {
        let server = LocalServer { _, connection in
            connection.write(answer("302 Found", headers: ["Location: http://127.0.0.1:1/elsewhere"]))
        }
        let response = try await CurlTransport().send(HTTPRequest(url: server.url))
        #expect(response.status == 302)
        #expect(server.seen.count == 1)
    }

    @Test func aBodyBeyondTheLimitIsRefusedWhileItArrives() async throws {
        let sent = Atomic(0)
        let server = LocalServer { _, connection in
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
            let piece = [UInt8](repeating: 0x20, count: 1 << 20)
            for _ in 0..<100 {
                guard connection.write(piece) else { return }
                sent.add(1, ordering: .relaxed)
            }
        }
        var settings = TransferSettings()
        settings.responseBytes = 1 << 20
        let transport = try CurlTransport(settings)
        let failure = await #expect(throws: TransferFailure.self) {
            try await transport.send(HTTPRequest(url: server.url))
        }
        #expect(failure?.kind == .tooLarge)
        #expect(failure?.isRetriable == false)
        #expect(sent.load(ordering: .relaxed) < 100)
    }

    @Test func aServerThatSaysNothingTimesOut() async throws {
        let server = LocalServer { _, connection in connection.awaitClientLeaving() }
        var settings = TransferSettings()
        settings.totalSeconds = 1
        let transport = try CurlTransport(settings)
        let failure = await #expect(throws: TransferFailure.self) {
            try await transport.send(HTTPRequest(url: server.url))
        }
        #expect(failure?.kind == .timedOut)
    }

    @Test func anAnswerThatTricklesIsGivenUp() async throws {
        let server = LocalServer { _, connection in
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n.")
            connection.awaitClientLeaving()
        }
        var settings = TransferSettings()
        settings.lowSpeedSeconds = 1
        let transport = try CurlTransport(settings)
        let failure = await #expect(throws: TransferFailure.self) {
            try await transport.send(HTTPRequest(url: server.url))
        }
        #expect(failure?.kind == .timedOut)
    }

    @Test func aCancelledTaskEndsItsRequest() async throws {
        let (arrivals, arrived) = AsyncStream<Void>.makeStream()
        let server = LocalServer { _, connection in
            arrived.yield()
            connection.awaitClientLeaving()
        }
        let transport = try CurlTransport()
        let url = server.url
        let request = Task { try await transport.send(HTTPRequest(url: url)) }
        for await _ in arrivals { break }
        request.cancel()
        let failure = await #expect(throws: TransferFailure.self) { try await request.value }
        #expect(failure?.kind == .cancelled)
    }

    @Test func nobodyListeningIsNoConnection() async throws {
        let port = LocalServer { _, _ in }.port
        let failure = await #expect(throws: TransferFailure.self) {
            try await CurlTransport().send(HTTPRequest(url: "http://127.0.0.1:\(port)"))
        }
        #expect(failure?.kind == .cannotConnect || failure?.kind == .truncated)
        #expect(failure?.isRetriable == true)
    }

    @Test func aServerThatSpeaksNoTLSIsNotTrusted() async throws {
        let server = LocalServer { _, connection in connection.write(answer("400 Bad Request")) }
        let failure = await #expect(throws: TransferFailure.self) {
            try await CurlTransport().send(HTTPRequest(url: "https://127.0.0.1:\(server.port)"))
        }
        #expect(failure?.kind == .tlsFailed)
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://127.0.0.1/", "http://", "https://user:password@example.com/"])
    func anAddressThatIsNotPlainHTTPIsRefused(_ url: String) async throws {
        let failure = await #expect(throws: TransferFailure.self) {
            try await CurlTransport().send(HTTPRequest(url: url))
        }
        #expect(failure?.kind == .invalidRequest)
        #expect(failure?.message.contains("password@") == false)
    }

    @Test func aHeaderCannotSmuggleInAnother() async throws {
        let request = HTTPRequest(url: "http://127.0.0.1:1", headers: [HTTPHeader("A", "b\r\nC: d")])
        let failure = await #expect(throws: TransferFailure.self) { try await CurlTransport().send(request) }
        #expect(failure?.kind == .invalidRequest)
    }

    @Test func aBodyIsSentAsItIs() async throws {
        let server = LocalServer { request, connection in
            connection.write(answer("200 OK", request.contains("Content-Length: 7") ? "seven" : "not seven"))
        }
        let request = HTTPRequest(method: "POST", url: server.url, body: Array("{\"a\":1}".utf8))
        let response = try await CurlTransport().send(request)
        #expect(String(decoding: response.body, as: UTF8.self) == "seven")
        #expect(server.seen.first?.hasPrefix("POST / ") == true)
    }
}
