import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import Logging
import Messaging
import Runtime
import ServiceLifecycle
import Storage
import Synchronization

/// `event-log serve`: writes the log of a directory, and lets all other programs append, read and listen.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the log and serve it to all programs of the pipeline.",
        discussion: """
            Programs of this directory connect through sockets in its run folder. The network is closed unless \
            --listen-requests and --listen-events are given, as finops up does where the pipeline has tcp:// \
            endpoints: connections are encrypted then, and each key on the list may append only what its line allows.

            Examples:
              event-log serve --dir /var/lib/finops
              event-log serve --dir D --listen-requests tcp://10.0.0.5:7301 --listen-events tcp://10.0.0.5:7302
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var service: ServiceOptions
    @OptionGroup var network: NetworkOptions

    @Flag(help: "Go on although the log ends before what was acknowledged.")
    var acceptTruncation = false

    func run() async throws {
        try await StageProgram.run("event-log", options: options, service: service) { context in
            let files = LogFiles(database: context.directory.logDatabase)
            // Before anything is bound: a second writer must not take the sockets of the first from it.
            let handover = StoreHandover(try open(files, context))
            let server = LogServer(
                LogServerOptions(local: context.endpoints, remote: try network.endpoints(of: context.directory)),
                reader: SQLiteEventReader(files: files), onIncident: incidentHandler(context),
                openStore: { handover.take() })
            return [LogService(server: server, context: context)]
        }
    }

    private func open(_ files: LogFiles, _ context: StageContext) throws -> sending SQLiteLog {
        let clock = context.clock
        do throws(StoreError) {
            let log = try SQLiteLog(
                files: files, knownTypes: EventCatalogue.knownTypes, acceptTruncation: acceptTruncation,
                now: { clock.now() })
            if let complaint = log.acceptedTruncation {
                context.logger.warning("truncation accepted", metadata: ["reason": "\(complaint)"])
            }
            return log
        } catch {
            guard case .failed(let failure) = error, ["log-truncated", "log-damaged"].contains(failure.code) else {
                throw error
            }
            throw CommandFailure(.problemFound, failure.message)
        }
    }

    /// Every incident is a line of the log and a count.
    private func incidentHandler(_ context: StageContext) -> IncidentHandler {
        let metrics = context.health.metrics
        metrics.declare("finops_bus_incidents_total", .counter, help: "What the bus turned away or lost.")
        return { [logger = context.logger] incident in
            metrics.add(to: "finops_bus_incidents_total", labels: ["kind": incident.name])
            let level: Logger.Level = incident.isRoutine ? .debug : .warning
            logger.log(level: level, "\(incident.name)", metadata: ["detail": "\(incident)"])
        }
    }
}

/// The door to the network: all of it, or none.
struct NetworkOptions: ParsableArguments {
    @Option(help: "Take requests from the network at this tcp:// address.")
    var listenRequests: String?

    @Option(help: "Publish to the network at this tcp:// address.")
    var listenEvents: String?

    @Option(help: "File with this server's CURVE secret key (default: keys/bus.key, made by finops bus key).")
    var curveKey: String?

    @Option(help: "File with the keys that may connect (default: bus.allow, written by finops bus allow).")
    var allow: String?

    func endpoints(of directory: StateDirectory) throws -> SecureEndpoints? {
        if [listenRequests, listenEvents, curveKey, allow].allSatisfy({ $0 == nil }) { return nil }
        guard let listenRequests, let listenEvents else {
            throw CommandFailure(.usage, "--listen-requests and --listen-events belong together")
        }
        let key = curveKey ?? directory.busKey
        let secret = try readPrivateKey(key, hint: "make one with: finops bus key --dir \(directory.path)")
        let addresses = LogEndpoints(requests: listenRequests, events: listenEvents)
        guard let secure = SecureEndpoints(addresses, secretKey: secret, access: try accessList(of: directory)) else {
            throw CommandFailure(.failure, "\(key) does not hold a CURVE secret key")
        }
        return secure
    }

    private func accessList(of directory: StateDirectory) throws -> AccessList {
        let path = allow ?? directory.busAllowList
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw CommandFailure(
                .failure, "cannot read the allow-list \(path)",
                hint: "let a key in with: finops bus allow KEY.pub --dir \(directory.path)")
        }
        return try AccessList(text: text)
    }
}

/// Brings the store to the server's thread, which alone uses it from then on.
private final class StoreHandover: Sendable {
    private let store: Mutex<SQLiteLog?>

    init(_ store: sending SQLiteLog) { self.store = Mutex(store) }

    func take() -> sending SQLiteLog {
        let store = store.withLock { store -> sending SQLiteLog? in
            let taken = store
            store = nil
            return taken
        }
        guard let store else { preconditionFailure("the server opens its store once") }
        return store
    }
}

/// The server among the program's services.
private struct LogService: Service {
    let server: LogServer<SQLiteLog>
    let context: StageContext

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run { endpoints in
                context.health.ready()
                context.logger.info(
                    "ready", metadata: ["endpoints": "\(endpoints.map(\.requests).joined(separator: " "))"])
            }
        } onGracefulShutdown: {
            server.stop()
        }
    }
}
