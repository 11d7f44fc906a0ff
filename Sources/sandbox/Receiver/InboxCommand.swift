import ArgumentParser
import Foundation
import JSON
import Runtime
import Transfer

/// Prints what arrived at a sandbox that runs, or what a demo left.
struct InboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbox",
        abstract:
            "Prints the Slack messages, mails and Sentry events that arrived at the running sandbox, oldest first.",
        discussion: """
            Of a demo that has ended it prints what arrived until then. Examples:
              sandbox inbox --address http://127.0.0.1:8080
              sandbox inbox --dir D --json
            """)

    @Option(help: ArgumentHelp("The sandbox's address, as sandbox serve prints it.", valueName: "url"))
    var address: String?
    @Option(help: "Instead of an address: the state directory of a demo (default: $FINOPS_HOME).") var dir: String?
    @Flag(help: "Print one JSON document: for each receiver the messages, and what was refused.") var json = false

    func run() async throws {
        let documents = try await documents()
        if json {
            try Output.line(JSONValue.object(documents.map { .init($0.receiver.rawValue, $0.document) }).prettyText)
        } else {
            for (receiver, document) in documents {
                try Output.write(InboxText(receiver: receiver, document: document).text)
            }
        }
    }

    private typealias Documents = [(receiver: Inbox.Receiver, document: JSONValue)]

    private func documents() async throws -> Documents {
        if let address { return try await ask(address) }
        guard let path = dir ?? ProcessInfo.processInfo.environment["FINOPS_HOME"], !path.isEmpty else {
            throw CommandFailure(.usage, "no sandbox: give --address URL, or --dir D of a demo")
        }
        let files = DemoFiles(directory: path)
        guard FileManager.default.fileExists(atPath: files.folder) else {
            throw CommandFailure(
                .failure, "no demo was played in \(path)", hint: "of any other sandbox give the address: --address URL")
        }
        // A demo that has ended left its address, where nobody answers any more, and what arrived.
        if let address = try? String(contentsOfFile: files.address, encoding: .utf8),
            let answer = try? await ask(address.trimmingCharacters(in: .newlines))
        {
            return answer
        }
        return try Inbox.Receiver.allCases.map { ($0, try files.arrived($0)) }
    }

    private func ask(_ address: String) async throws -> Documents {
        let base = address.hasSuffix("/") ? String(address.dropLast()) : address
        let transport = try CurlTransport()
        var documents: Documents = []
        for receiver in Inbox.Receiver.allCases {
            do throws(TransferFailure) {
                let answer = try await transport.send(HTTPRequest(url: "\(base)/sandbox/\(receiver.rawValue)"))
                guard answer.status == 200, let document = try? JSONValue.parse(answer.body) else {
                    throw TransferFailure(.other, message: "it is no sandbox: status \(answer.status)")
                }
                documents.append((receiver, document))
            } catch {
                throw CommandFailure(
                    .endpointUnreachable, "\(base): \(error.message)",
                    hint: "sandbox serve prints its address when it starts")
            }
        }
        return documents
    }
}

/// Where a demo keeps what is its own in its state directory.
struct DemoFiles: Sendable {
    /// Of the state directory.
    let directory: String

    var folder: String { directory + "/demo" }
    /// The sandbox's, while it runs.
    var address: String { folder + "/address" }
    var inbox: String { folder + "/inbox" }

    /// What arrived at a receiver; empty where nothing did.
    func arrived(_ receiver: Inbox.Receiver) throws -> JSONValue {
        let path = "\(inbox)/\(receiver.rawValue).json"
        guard FileManager.default.fileExists(atPath: path) else { return ["messages": [], "refused": []] }
        return try JSONValue.parse(try String(contentsOfFile: path, encoding: .utf8))
    }
}
