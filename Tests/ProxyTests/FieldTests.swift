import NIOHTTP1
import Testing

@testable import Proxy

@Suite(.timeLimit(.minutes(2))) struct FieldTests {
    @Test func fieldsOfTheConnectionStayOnTheConnection() async throws {
        let upstream = try await StandIn.answering(
            """
            HTTP/1.1 200 OK\r
            Connection: X-Private, keep-alive\r
            X-Private: 1\r
            Keep-Alive: timeout=5\r
            Proxy-Authenticate: Basic\r
            Trailer: X-Sum\r
            Upgrade: h2c\r
            X-Request-Id: req_1\r
            X-RateLimit-Remaining-Tokens: 7\r
            Content-Length: 2\r
            \r
            ok
            """)
        try await TestProxy.with(Passing(to: upstream.address)) { proxy in
            let client = try await proxy.connect()
            client.send(
                TestProxy.get(
                    "/v1/models",
                    """
                    Connection: X-Hop, TE, keep-alive\r
                    X-Hop: 1\r
                    TE: trailers\r
                    Keep-Alive: 300\r
                    Proxy-Connection: keep-alive\r
                    Proxy-Authorization: Basic eDp5\r
                    Upgrade: h2c\r
                    HTTP2-Settings: AAMAAABk\r
                    X-Stays: yes\r\n
                    """))
            let answer = await client.whole().lowercased()
            for gone in ["x-private", "keep-alive", "proxy-authenticate", "trailer", "upgrade"] {
                #expect(!answer.contains(gone), "\(gone)")
            }
            #expect(answer.contains("x-request-id: req_1") && answer.contains("x-ratelimit-remaining-tokens: 7"))
            let request = upstream.requests[0].lowercased()
            for gone in ["x-hop", "te:", "keep-alive", "proxy-", "upgrade", "http2-settings", "connection"] {
                #expect(!request.contains("\n" + gone), "\(gone)")
            }
            #expect(request.contains("x-stays: yes") && request.contains("via: 1.1 finops"))
        }
        try await upstream.stop()
    }

    @Test func theClientsKeysAndOurOwnFieldsDoNotReachTheUpstream() {
        let fields: HTTPHeaders = [
            "Authorization": "Bearer fo-secret", "x-api-key": "fo-secret", "API-Key": "fo-secret",
            "Cookie": "session=1", "X-FinOps-User": "anna", "x-finops-metadata": "{}", "X-Forwarded-For": "10.0.0.1",
            "Forwarded": "for=10.0.0.1", "Host": "gateway", "Content-Length": "3", "Expect": "100-continue",
            "OpenAI-Organization": "org-1", "OpenAI-Project": "proj_1", "OpenAI-Beta": "assistants=v2",
            "anthropic-version": "2023-06-01", "User-Agent": "test",
        ]
        let names = ForwardedFields(of: fields).all.map(\.name)
        #expect(names == ["OpenAI-Beta", "anthropic-version", "User-Agent"])
    }

    @Test func theLengthOfABodyCannotBeTakenAwayByNamingIt() {
        let fields: HTTPHeaders = ["Connection": "content-length, X-A", "Content-Length": "3", "X-A": "1"]
        #expect(HopByHop.stripped(fields).map(\.name) == ["Content-Length"])
    }

    @Test func aFieldThatWouldBeginANewLineIsLeftOut() {
        let fields: HTTPHeaders = ["X-A": "1\r\nSet-Cookie: a=b", "X-B": "2\u{0}", "X-C": "3\t4"]
        #expect(HopByHop.stripped(fields).map(\.name) == ["X-C"])
    }

    @Test func listsLoseSpaceAndEmptyMembers() {
        #expect(Array(FieldList(value: " a ,, b\t,c")).map(String.init) == ["a", "b", "c"])
        #expect(Array(FieldList(value: " , ")).isEmpty)
    }
}
