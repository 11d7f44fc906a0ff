import Foundation
import Runtime

/// AWS KMS on loopback: moto, whose Python `Ops/test-tools` makes.
package struct RunningKeyService: Sendable {
    package let endpoint: String
    /// ARNs of two symmetric keys in eu-central-1; the first has the alias `alias/finops`.
    package let keys: [String]
    private let server: ChildProcess

    private struct Greeting: Decodable {
        let port: Int
        let keys: [String]
    }

    fileprivate init(greeting: Data, server: ChildProcess) throws {
        self.server = server
        let greeting = try JSONDecoder().decode(Greeting.self, from: greeting)
        endpoint = "http://127.0.0.1:\(greeting.port)"
        keys = greeting.keys
    }

    /// From here on nobody answers.
    package func end() async { _ = await server.stop() }
}

/// A key service for the time of a test.
package func withKeyService<Value>(
    isolation: isolated (any Actor)? = #isolation, _ body: (RunningKeyService) async throws -> Value
) async throws -> Value {
    let support = URL(filePath: #filePath).deletingLastPathComponent()
    let python = support.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: ".build/test-tools/bin/python3").path
    return try await withTemporaryDirectory { scratch in
        let files = ["said", "complaints"].map { scratch + "/" + $0 }
        for file in files { try Data().write(to: URL(filePath: file)) }
        let handles = try files.map { try FileHandle(forWritingTo: URL(filePath: $0)) }
        let server = try ChildProcess(
            .init(
                path: python, arguments: [support.appending(path: "KeyService/key_service.py").path],
                hasLifeline: true, standardOutput: handles[0].fileDescriptor,
                standardError: handles[1].fileDescriptor))
        do {
            let value = try await body(
                RunningKeyService(greeting: await greeting(in: files, of: server), server: server))
            _ = await server.stop()
            return value
        } catch {
            _ = await server.stop()
            throw error
        }
    }
}

/// Waits for its first line.
private func greeting(in files: [String], of server: ChildProcess) async throws -> Data {
    while true {
        let said = try Data(contentsOf: URL(filePath: files[0]))
        if said.last == 10 { return said }
        guard server.exit == nil else {
            let words = try String(contentsOfFile: files[1], encoding: .utf8)
            throw RunningMailServer.NoServer(
                description: "the key service has ended; Ops/test-tools makes its Python. It said: \(words)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}
