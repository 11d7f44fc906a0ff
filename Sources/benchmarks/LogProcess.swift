import EventLog
import Foundation
import Messaging
import Runtime
import Storage

/// The real `event-log serve` on a directory of its own, as a child.
struct LogProcess {
    let directory: StateDirectory
    private let child: ChildProcess

    static func start(at path: String) async throws -> LogProcess {
        let directory = StateDirectory(path: path)
        try directory.prepare()
        let child = try ChildProcess(
            .init(
                path: try ProgramLocator.beside().path(of: "event-log"),
                arguments: ["serve", "--lifeline", "--dir", path],
                hasLifeline: true))
        let process = LogProcess(directory: directory, child: child)
        let store = try process.connect()
        _ = try await store.ping()
        store.close()
        return process
    }

    var options: RemoteLogOptions { get throws { RemoteLogOptions(endpoints: try directory.endpoints()) } }
    var files: LogFiles { LogFiles(database: directory.logDatabase) }

    func connect() throws -> RemoteEventStore { RemoteEventStore(try options) }

    func stop() async { _ = await child.stop() }

    /// Appends the batches of several producers at once, each waiting for every acknowledgement.
    func append(_ producers: [[[StreamAppend]]], named name: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, batches) in producers.enumerated() {
                let store = try connect()
                group.addTask {
                    let session = try await store.openSession(ProducerName("\(name)-\(index)"))
                    for (number, batch) in batches.enumerated() {
                        let sequence = session.lastSequence + UInt64(number) + 1
                        _ = try await store.append(AppendRequest(session: session, sequence: sequence, batch))
                    }
                    store.close()
                }
            }
            try await group.waitForAll()
        }
    }
}
