package import EventLog
import Synchronization
import ZeroMQ

/// The one writer of a log, as the network sees it: one thread owns the sockets and the store. Everything that waits
/// when a commit ends goes into the next one; an event alone is committed at once. Answers follow the commit, then the
/// committed events are published, and a heartbeat tells the head once a second.
package final class LogServer<Store: GroupStore & SendableMetatype>: Sendable {
    private let options: LogServerOptions
    private let openStore: @Sendable () throws(StoreError) -> Store
    private let reader: any EventReader
    private let wake = WakeSignal()
    private let isStopping = Atomic(false)
    private let counters: WireCounters

    /// - Parameters:
    ///   - openStore: called once, on the server's thread, which alone uses the store.
    ///   - reader: answers reads beside the appends.
    ///   - onIncident: told of whatever was turned away.
    package init(
        _ options: LogServerOptions, reader: any EventReader, onIncident: @escaping IncidentHandler = { _ in },
        openStore: @escaping @Sendable () throws(StoreError) -> Store
    ) {
        self.options = options
        self.reader = reader
        self.openStore = openStore
        counters = WireCounters(onIncident)
    }

    /// How often each kind of incident happened, by its name.
    package var incidents: [String: Int] { counters.snapshot }

    /// Serves until `stop`, cancellation, or a failure of the store that it must not survive.
    /// - Parameter ready: called when everything is bound, with the endpoints as bound (local, then remote).
    /// - Throws: when the store or an endpoint cannot be opened, or the store failed for good.
    package func run(ready: @escaping @Sendable ([LogEndpoints]) -> Void = { _ in }) async throws(StoreError) {
        let reads = ServerReads(reader, queued: options.queuedReads, wake: wake)
        let result = await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<options.concurrentReads { group.addTask { await reads.work() } }
                let result = await DedicatedThread.run { self.serve(reads, ready) }
                reads.finish()
                return result
            }
        } onCancel: {
            stop()
        }
        try result.get()
    }

    /// Asks the server to end: what waits is still written and answered. Safe from everywhere, any number of times.
    package func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        wake.signal()
    }

    private func serve(_ reads: ServerReads, _ ready: ([LogEndpoints]) -> Void) -> Result<Void, StoreError> {
        do throws(StoreError) {
            let loop = try LogServerLoop(options, store: try openStore(), reads: reads, counters: counters)
            ready(loop.endpoints)
            try loop.run { isStopping.load(ordering: .sequentiallyConsistent) }
            return .success(())
        } catch {
            return .failure(error)
        }
    }
}

/// Counts incidents and passes them on.
final class WireCounters: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    private let handler: IncidentHandler

    init(_ handler: @escaping IncidentHandler) { self.handler = handler }

    func report(_ incident: WireIncident) {
        counts.withLock { $0[incident.name, default: 0] += 1 }
        handler(incident)
    }

    var snapshot: [String: Int] { counts.withLock { $0 } }
}
