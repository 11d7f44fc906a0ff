import Dispatch
package import Foundation

/// A real mail server on loopback: aiosmtpd, whose Python `Ops/test-tools` makes.
package final class RunningMailServer: Sendable {
    package let port: Int
    /// PEM file that vouches for it; nil without TLS.
    package let certificate: String?
    private let lines: AsyncStream<Data>

    /// A message as Python's email package reads it.
    package struct Message: Decodable, Sendable {
        package let raw: Data
        package let sender: String
        package let recipients: [String]
        package let tls: Bool
        package let user: String?
        package let subject: String?
        package let fromName: String?
        package let fromAddress: String?
        package let to: [String]
        package let headers: [String]
        package let date: String?
        package let messageID: String?
        package let references: String?
        package let text: String?
        package let html: String?
        package let defects: [String]
    }

    private struct Greeting: Decodable {
        let port: Int
        let certificate: String?
    }

    fileprivate struct NoServer: Error {}

    fileprivate init(lines: AsyncStream<Data>) async throws {
        self.lines = lines
        guard let line = await Self.first(of: lines) else { throw NoServer() }
        let greeting = try JSONDecoder().decode(Greeting.self, from: line)
        port = greeting.port
        certificate = greeting.certificate
    }

    /// The next one that it took; waits for it.
    package func message() async throws -> Message {
        guard let line = await Self.first(of: lines) else { throw NoServer() }
        return try JSONDecoder().decode(Message.self, from: line)
    }

    private static func first(of lines: AsyncStream<Data>) async -> Data? {
        for await line in lines { return line }
        return nil
    }
}

/// A mail server for the time of a test.
/// - Parameter arguments: of `MailServer/mail_server.py`.
package func withMailServer<Value>(
    _ arguments: [String] = [], isolation: isolated (any Actor)? = #isolation,
    _ body: (RunningMailServer) async throws -> Value
) async throws -> Value {
    try await withTemporaryDirectory { scratch in
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let tools = folder.appending(path: "../../Ops/test-tools").standardizedFileURL
        let python = String(decoding: try output(of: tools.path, []), as: UTF8.self)
        let server = Process()
        let (said, lifeline) = (Pipe(), Pipe())
        server.executableURL = URL(filePath: python.trimmingCharacters(in: .newlines))
        server.arguments = [folder.appending(path: "MailServer/mail_server.py").path, scratch] + arguments
        server.standardInput = lifeline  // Its end ends the server, whatever becomes of this process.
        server.standardOutput = said
        server.standardError = FileHandle.nullDevice
        try server.run()
        defer {
            server.terminate()
            server.waitUntilExit()
        }
        return try await body(RunningMailServer(lines: lines(of: said.fileHandleForReading)))
    }
}

private func output(of program: String, _ arguments: [String]) throws -> Data {
    let process = Process()
    let said = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardOutput = said
    try process.run()
    let output = said.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return output
}

/// As they come; a queue of its own waits for them.
private func lines(of handle: FileHandle) -> AsyncStream<Data> {
    AsyncStream { stream in
        DispatchQueue(label: "mail-server").async {
            var rest = Data()
            while case let piece = handle.availableData, !piece.isEmpty {
                rest += piece
                while let end = rest.firstIndex(of: 10) {
                    stream.yield(Data(rest[..<end]))
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
            stream.finish()
        }
    }
}
