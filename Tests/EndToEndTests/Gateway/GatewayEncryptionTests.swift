import FinOps
import Foundation
import Glibc
import JSON
import Runtime
import SwiftProtobuf
import TestSupport
import Testing

/// The gateway on addresses that others can reach: encrypted, by TLS 1.3, or not at all.
@Suite(.serialized) struct GatewayEncryptionTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "ProxyTests/Fixtures")
    private static let python = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: ".build/test-tools/bin/python3").path

    private static let official = """
        import sys, openai
        client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
        answer = client.chat.completions.create(
            model="gpt-4o-2024-08-06", messages=[{"role": "user", "content": "is it?"}], max_tokens=300)
        print(answer.choices[0].message.content)
        """

    @Test func othersAreServedEncryptedOrNotAtAll() async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 2)) }
        let upstream = ["openai", "--name", "main", "--base-url", provider.url]
        try await GatewayScene.with(upstreams: [upstream]) { scene in
            let key = try await scene.key().text
            for address in ["0.0.0.0:0", "[::]:0"] {
                let open = try scene.start("gateway", port: 0, settings: ["FINOPS_GATEWAY_LISTEN": address])
                let ended = await open.program.wait(limit: .seconds(30))
                #expect(ended.status != 0 && ended.standardError.contains("plain HTTP would show every key"))
            }
            let (certificate, file) = (Self.fixtures.appending(path: "localhost.crt").path, "localhost.key")
            try scene.installation.configure([
                "gateway_tls_certificate: \(certificate)",
                "gateway_tls_key: \(Self.fixtures.appending(path: file).path)",
            ])
            let gateway = try await scene.start(
                "gateway", port: 0, settings: ["FINOPS_GATEWAY_LISTEN": "0.0.0.0:0"]
            ).listens()
            try await expectEncrypted(scene, gateway, key, certificate)
            _ = try await scene.installation.recordedCalls(atLeast: 2)
            await scene.end(gateway.program)
            #expect(try await scene.installation.recordedCalls().count == 2)
        }
    }

    /// A provider that only an authority of the house vouches for.
    private static let provider = """
        import http.server, os, ssl, sys, threading
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        ANSWER = sys.argv[3].encode()
        class Provider(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)
            def log_message(self, *words): pass
        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client): pass
        server = Server(("127.0.0.1", 0), Provider)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """

    /// One that speaks nothing but HTTP/2.
    private static let multiplexed = """
        import os, socket, ssl, sys, threading
        import h2.config, h2.connection, h2.events
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        context.set_alpn_protocols(["h2"])
        HEAD = [(":status", "200"), ("content-type", "application/json"), ("x-request-id", "req-by-h2")]
        def serve(peer):
            try:
                peer = context.wrap_socket(peer, server_side=True)
                connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
                connection.initiate_connection()
                peer.sendall(connection.data_to_send())
                while data := peer.recv(65536):
                    for event in connection.receive_data(data):
                        if isinstance(event, h2.events.StreamEnded):
                            connection.send_headers(event.stream_id, HEAD)
                            connection.send_data(event.stream_id, sys.argv[3].encode(), end_stream=True)
                    peer.sendall(connection.data_to_send())
            except OSError:
                pass
        server = socket.create_server(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
        """

    @Test func anUpstreamIsTrustedByAnAuthorityThatTheConfigurationNames() async throws {
        try await withProvider(Self.provider) { try await expectTrust($0, $1) }
    }

    @Test func callsOfAnUpstreamThatSpeaksHTTP2AreMetered() async throws {
        try await withProvider(Self.multiplexed) { certificate, port in
            let upstream = ["openai", "--name", "main", "--base-url", "https://localhost:\(port)"]
            try await GatewayScene.with(upstreams: [upstream]) { scene in
                let key = try await scene.key().text
                let gateway = try await scene.gateway(settings: ["FINOPS_GATEWAY_UPSTREAM_CA": certificate])
                _ = try await gateway.firstAnswer(key)
                let call = ParallelCalls.Call(
                    ports: [gateway.port], request: SceneCall.post(key: key, SceneCall.chat))
                let answers = await ParallelCalls.run(Array(repeating: call, count: 20))
                #expect(answers.allSatisfy { $0?.status == 200 && $0?.field("x-request-id") == "req-by-h2" })
                let calls = try await scene.installation.recordedCalls(atLeast: 21)
                await scene.end(gateway.program)
                #expect(calls.count == 21 && calls.allSatisfy { $0.ended == "complete" && $0.cost.nanos == 42_500 })
            }
        }
    }

    /// - Parameter body: gets the provider's certificate and its port on `localhost`.
    private func withProvider(_ script: String, _ body: (String, String) async throws -> Void) async throws {
        let certificate = Self.fixtures.appending(path: "localhost.crt").path
        let whole = SceneCall.answer(1, input: 9, output: 2)
        let answer = String(whole[try #require(whole.range(of: "\r\n\r\n")).upperBound...])
        let said = Pipe()
        let server = try ChildProcess(
            .init(
                path: Self.python,
                arguments: ["-c", script, certificate, Self.fixtures.appending(path: "localhost.key").path, answer],
                hasLifeline: true, standardOutput: said.fileHandleForWriting.fileDescriptor))
        // Ours would keep the pipe open when the server has ended.
        try said.fileHandleForWriting.close()
        let port = await BlockingThread.running {
            String(decoding: said.fileHandleForReading.availableData, as: UTF8.self)
        }.trimmingCharacters(in: .whitespacesAndNewlines)
        do { try await body(certificate, port) } catch {
            _ = await server.stop()
            throw error
        }
        _ = await server.stop()
    }

    private func expectTrust(_ certificate: String, _ port: String) async throws {
        let upstream = ["openai", "--name", "main", "--base-url", "https://localhost:\(port)"]
        try await GatewayScene.with(upstreams: [upstream]) { scene in
            let key = try await scene.key().text
            let wary = try await scene.gateway()
            var refused: HTTPAnswer?
            try await eventually("it refuses the provider's certificate, not \(String(describing: refused))") {
                refused = await wary.post(key: key)
                return refused?.status == 502
            }
            #expect(refused?.body.contains("upstream_unreachable") == true)
            await scene.end(wary.program)
            let told = try await scene.gateway(settings: ["FINOPS_GATEWAY_UPSTREAM_CA": certificate])
            #expect(try await told.firstAnswer(key).body.contains("prompt_tokens"))
            var calls: [WireCallRecorded] = []
            try await eventually("the good answer is told") {
                calls = try await scene.installation.recordedCalls(atLeast: 2)
                return calls.contains { $0.ended == "complete" }
            }
            await scene.end(told.program)
            let others = calls.filter { $0.ended != "complete" }
            #expect(calls.count == others.count + 1 && others.allSatisfy { $0.ended == "unreachable" })
        }
    }

    private func expectEncrypted(
        _ scene: GatewayScene, _ gateway: SceneGateway, _ key: String, _ certificate: String
    ) async throws {
        let url = "https://localhost:\(gateway.port)/v1"
        let plain = ["-sS", "--cacert", certificate, "-H", "Authorization: Bearer \(key)", "-d", SceneCall.chat]
        var said = ""
        try await eventually("it answers by TLS, not \(said): \(gateway.program.standardErrorSoFar)") {
            if gateway.program.hasEnded { throw Unexpected(gateway.program.standardErrorSoFar) }
            let call = plain + ["--fail", "--tlsv1.3", url + "/chat/completions"]
            do { said = try await scene.installation.said(by: "/usr/bin/curl", call) } catch { said = "\(error)" }
            return said.contains("prompt_tokens")
        }
        for arguments in [
            // 35: no TLS in common; 60: nobody vouches for it; 56 and 52: it hangs up on what is not encrypted.
            (plain + ["--tls-max", "1.2", url + "/chat/completions"], "exit 35"),
            (Array(plain.dropFirst(3)) + ["-sS", url + "/chat/completions"], "exit 60"),
        ] {
            await #expect(throws: Unexpected.self, "\(arguments.0)") {
                do { _ = try await scene.installation.said(by: "/usr/bin/curl", arguments.0) } catch {
                    #expect("\(error)".hasSuffix(arguments.1), "\(error)")
                    throw error
                }
            }
        }
        #expect(await gateway.post(key: key) == nil)
        // Whoever looks where the gateway listens is told that it is encrypted.
        let status = try await scene.installation.run("finops", "status", "--json").json()
        let row = status["processes"]?.array?.first { $0["name"]?.string == "gateway" }
        #expect(row?["listen"]?.string == "https://0.0.0.0:\(gateway.port)", "\(status.text)")
        let script = scene.installation.root.appending(path: "client.py").path
        try Self.official.write(toFile: script, atomically: true, encoding: .utf8)
        let answer = try await scene.installation.said(
            by: "/usr/bin/env", ["SSL_CERT_FILE=\(certificate)", Self.python, script, url, key])
        #expect(answer == "yes\n")
    }
}
