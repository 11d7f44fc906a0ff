package import EventLog
import Synchronization
import ZeroMQ

/// The log over the bus. Appends go to its one writer; reads too, unless a local reader is given that opens the file.
///
/// Whatever the connection does, a call ends once: with the log's answer, with its typed refusal, or with
/// `log-unreachable` after the deadline, which may be tried again with the identical request.
package final class RemoteEventStore: EventStore {
    private let mailbox: RemoteMailbox
    private let local: (any EventReader)?

    /// - Parameters:
    ///   - reader: answers reads instead of the bus.
    ///   - onIncident: told of whatever was turned away.
    package init(
        _ options: RemoteLogOptions, reader: (any EventReader)? = nil,
        onIncident: @escaping IncidentHandler = { _ in }
    ) {
        let mailbox = RemoteMailbox(limit: options.requestsInFlight)
        self.mailbox = mailbox
        local = reader
        DedicatedThread.start {
            do throws(ZeroMQError) {
                try RemoteLoop(options, mailbox, onIncident: onIncident).run()
            } catch {
                let message = "\(options.endpoints.requests): \(error)"
                onIncident(
                    .retrying(StoreFailure(code: "zeromq-\(error.errno)", message: message, isRetriable: false)))
            }
            mailbox.close()
        }
    }

    deinit { mailbox.close() }

    /// Ends every call that waits, and the thread behind them. Calls from now on fail with `closed`.
    package func close() { mailbox.close() }

    /// Asks whether the log is there.
    /// - Returns: its head.
    package func ping() async throws(StoreError) -> Position {
        if case .head(let head) = try await call(.hello) { return head }
        throw .unexpectedReply
    }

    /// How many requests were sent and have no reply yet.
    var requestsInFlight: Int { mailbox.inFlight.load(ordering: .relaxed) }

    // MARK: EventStore

    /// - Throws: `log-unreachable` after the deadline. The log may have opened it all the same: ask again.
    package func openSession(_ producer: ProducerName) async throws(StoreError) -> ProducerSession {
        try bounded(producer.text, "producer")
        if case .session(let session?) = try await call(.openSession(producer)) { return session }
        throw .unexpectedReply
    }

    /// Sends the identical request until it is answered or the deadline is over; the log knows a repeat.
    package func append(_ request: AppendRequest) async throws(StoreError) -> AppendReceipt {
        // The log checks again; here it keeps what cannot be encoded off the wire.
        do throws(AppendRefusal) {
            try AppendRules.validate(request, knownTypes: nil)
        } catch {
            throw .refused(error)
        }
        if case .receipt(let receipt) = try await call(.append(request)) { return receipt }
        throw .unexpectedReply
    }

    // MARK: EventReader

    package func head() async throws(StoreError) -> Position {
        if let local { return try await local.head() }
        return try await ping()
    }

    package func read(after position: Position, limit: Int, types: Set<EventType>?) async throws(StoreError)
        -> ReadPage
    {
        if let local { return try await local.read(after: position, limit: limit, types: types) }
        for type in types ?? [] { try bounded(type.text, "type") }
        if case .page(let page) = try await call(.read(.events(after: position, limit: limit, types: types))) {
            return page
        }
        throw .unexpectedReply
    }

    package func read(stream: StreamName, after version: StreamVersion, limit: Int) async throws(StoreError)
        -> [RecordedEvent]
    {
        if let local { return try await local.read(stream: stream, after: version, limit: limit) }
        try bounded(stream.text, "stream")
        if case .events(let events) = try await call(.read(.stream(stream, after: version, limit: limit))) {
            return events
        }
        throw .unexpectedReply
    }

    package func streams(prefix: String, after name: String?, limit: Int) async throws(StoreError) -> [StreamSummary] {
        if let local { return try await local.streams(prefix: prefix, after: name, limit: limit) }
        try bounded(prefix, "prefix")
        try bounded(name ?? "", "stream")
        if case .summaries(let all) = try await call(.read(.streams(prefix: prefix, after: name, limit: limit))) {
            return all
        }
        throw .unexpectedReply
    }

    package func session(of producer: ProducerName) async throws(StoreError) -> ProducerSession? {
        if let local { return try await local.session(of: producer) }
        try bounded(producer.text, "producer")
        if case .session(let session) = try await call(.read(.sessionOf(producer))) { return session }
        throw .unexpectedReply
    }

    // MARK: Calls

    private func call(_ request: LogRequest) async throws(StoreError) -> LogReply {
        let frame = request.encoded()
        guard frame.count <= WireLimits.frameBytes else {
            throw .refused(.tooLarge(what: "bytes of a frame", size: frame.count, limit: WireLimits.frameBytes))
        }
        let call = PendingCall()
        let needsNewest = if case .openSession = request { true } else { false }
        mailbox.submit(.init(frame: frame, needsNewest: needsNewest, call: call))
        let answer = try await call.wait().get()
        let reply: LogReply
        do throws(MalformedFrame) {
            reply = try answer.decoded { bytes throws(MalformedFrame) in try LogReply(bytes) }
        } catch {
            throw StoreError(error)
        }
        switch reply {
        case .refused(let refusal): throw .refused(refusal)
        case .failed(let failure): throw .failed(failure)
        default: return reply
        }
    }

    private func bounded(_ name: String, _ field: String) throws(StoreError) {
        guard name.utf8.count <= EventLimits.nameBytes else {
            throw .refused(
                .tooLarge(what: "bytes of a \(field)", size: name.utf8.count, limit: EventLimits.nameBytes))
        }
    }
}

extension StoreError {
    static let unexpectedReply = StoreError.failed(
        StoreFailure(code: "reply-unexpected", message: "the log answered another question", isRetriable: false))
}
