import Dispatch
package import Foundation
import Runtime

/// A real mail server on loopback: aiosmtpd, whose Python `Ops/test-tools` makes.
package final class RunningMailServer: Sendable {
    package let port: Int
    /// PEM file that vouches for it; nil without TLS.
    package let certificate: String?
    private let lines: AsyncStream<Data>
    private let complaints: String

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

    /// The server ended, or never began.
    package struct NoServer: Error, CustomStringConvertible {
        package let description: String
    }

    private struct Greeting: Decodable {
        let port: Int
        let certificate: String?
    }

    fileprivate init(lines: AsyncStream<Data>, complaints: String) async throws {
        self.lines = lines
        self.complaints = complaints
        let greeting = try JSONDecoder().decode(Greeting.self, from: await Self.next(of: lines, complaints))
        port = greeting.port
        certificate = greeting.certificate
    }

    /// The next one that it took; waits for it.
    package func message() async throws -> Message {
        try JSONDecoder().decode(Message.self, from: await Self.next(of: lines, complaints))
    }

    private static func next(of lines: AsyncStream<Data>, _ complaints: String) async throws -> Data {
        for await line in lines { return line }
        // What was never written says nothing.
        let words = (try? String(contentsOfFile: complaints, encoding: .utf8)) ?? ""
        throw NoServer(description: "the mail server has ended; Ops/test-tools makes its Python. It said: \(words)")
    }
}

/// A mail server for the time of a test.
/// - Parameter arguments: of `MailServer/mail_server.py`.
package func withMailServer<Value>(
    _ arguments: [String] = [], isolation: isolated (any Actor)? = #isolation,
    _ body: (RunningMailServer) async throws -> Value
) async throws -> Value {
    try await withTemporaryDirectory { scratch in
        let (said, complaints) = (Pipe(), scratch + "/complaints")
        try Data().write(to: URL(filePath: complaints))
        let errors = try FileHandle(forWritingTo: URL(filePath: complaints))
        let server = try ChildProcess(
            .init(
                path: MailServerFiles.python, arguments: [MailServerFiles.program, scratch] + arguments,
                hasLifeline: true, standardOutput: said.fileHandleForWriting.fileDescriptor,
                standardError: errors.fileDescriptor))
        // Ours would keep the pipe open when the server has ended.
        try said.fileHandleForWriting.close()
        do {
            let value = try await body(
                RunningMailServer(lines: lines(of: said.fileHandleForReading), complaints: complaints))
            _ = await server.stop()
            return value
        } catch {
            _ = await server.stop()
            throw error
        }
    }
}

private enum MailServerFiles {
    private static let support = URL(filePath: #filePath).deletingLastPathComponent()
    static let program = support.appending(path: "MailServer/mail_server.py").path
    /// Spelt without `..`: resolving those follows the link as well, and a virtual environment is known by the path of the
    /// link to its Python, not by where that leads.
    static let python = support.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: ".build/test-tools/bin/python3").path
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
