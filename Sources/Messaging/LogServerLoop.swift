import EventLog
import ZeroMQ

/// The body of the server's thread.
final class LogServerLoop<Store: GroupStore & SendableMetatype> {
    private let options: LogServerOptions
    private let reads: ServerReads
    private let counters: WireCounters
    private let doors: [ServerDoor]
    private let zap: ZapHandler?
    private var store: Store
    private var queue: AppendQueue
    private var decoder = EventDecoder()
    private var nextHeartbeat: Int64
    /// Whether the last commit was refused for want of room: told once, not once a request.
    private var isReadOnly = false

    init(_ options: LogServerOptions, store: Store, reads: ServerReads, counters: WireCounters) throws(StoreError) {
        self.options = options
        self.store = store
        self.reads = reads
        self.counters = counters
        queue = AppendQueue(options)
        nextHeartbeat = monotonicMilliseconds() + options.heartbeatMilliseconds
        let context = Context()
        do throws(ZeroMQError) {
            // The list is asked from the first connection on, so its handler is bound before the door opens.
            zap = options.remote == nil ? nil : try ZapHandler(context)
            var doors = [try ServerDoor(context, local: options.local)]
            if let remote = options.remote { doors.append(try ServerDoor(context, secure: remote)) }
            self.doors = doors
        } catch {
            throw .failed(
                StoreFailure(code: "endpoint-unavailable", message: error.description, isRetriable: false))
        }
    }

    var endpoints: [LogEndpoints] { doors.map(\.endpoints) }

    /// - Throws: when the store failed for good: nothing of that group was acknowledged.
    func run(until isStopping: () -> Bool) throws(StoreError) {
        do {
            var poller = Poller()
            _ = poller.add(reads.wake)
            if let zap { _ = poller.add(zap.socket) }
            for door in doors {
                _ = poller.add(door.requests)
                _ = poller.add(door.events)
                _ = poller.add(door.monitor.socket)
            }
            while !isStopping() {
                let pause = queue.isEmpty ? max(0, nextHeartbeat - monotonicMilliseconds()) : 0
                try poller.wait(milliseconds: Int(pause))
                try turn()
            }
            try turn()
            while !queue.isEmpty { try commitGroup() }
        } catch let error as ZeroMQError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            preconditionFailure("the loop throws nothing else: \(error)")
        }
    }

    private func turn() throws {
        reads.wake.clear()
        try admitPeers()
        try receiveWaiting()
        if !queue.isEmpty { try commitGroup() }
        for answer in reads.takeAnswers() { try send(answer.frame, to: answer.peer) }
        try tellHead()
    }

    private func admitPeers() throws(ZeroMQError) {
        try zap?.answerWaiting(
            isAllowed: { options.remote?.access.contains($0) ?? false },
            denied: { counters.report(.keyDenied($0)) })
        for door in doors {
            while let event = try door.monitor.next() {
                if event == .handshakeFailed { counters.report(.handshakeFailed) }
            }
        }
    }

    // MARK: Requests

    /// Takes what waits, at most twice the queue, so that a flood of refusals does not delay the commit either.
    private func receiveWaiting() throws {
        for (index, door) in doors.enumerated() {
            for _ in 0..<2 * options.queuedRequests {
                guard let arrival = try door.nextArrival() else { break }
                try handle(arrival, of: index)
            }
        }
    }

    private func handle(_ arrival: consuming ServerDoor.Arrival, of door: Int) throws {
        var peer = ServerDoor.Peer(door: door, identity: arrival.identity, correlation: 0)
        let key = arrival.key
        guard let body = arrival.body.take() else {
            return try refuse(MalformedFrame(reason: "not one body frame", at: 0), peer)
        }
        peer.correlation = body.withUnsafeBytes { FrameReader.correlation(of: $0) } ?? 0
        guard body.count <= WireLimits.frameBytes else {
            counters.report(.oversizedFrame(bytes: body.count))
            let refusal = AppendRefusal.tooLarge(
                what: "bytes of a frame", size: body.count, limit: WireLimits.frameBytes)
            return try send(.refused(refusal), to: peer)
        }
        let request: LogRequest
        do throws(MalformedFrame) {
            request = try body.withUnsafeBytes { bytes throws(MalformedFrame) in
                try LogRequest(bytes, decoder: &decoder)
            }
        } catch {
            return try refuse(error, peer)
        }
        if let access = doors[door].access {
            guard let key else { return counters.report(.keyDenied(nil)) }
            if let reason = access.objection(of: key, to: request) {
                counters.report(.notAllowed(key, reason: reason))
                return try send(.refused(.notAllowed(reason: reason)), to: peer)
            }
        }
        try perform(request, bytes: body.count, for: peer)
    }

    private func refuse(_ error: MalformedFrame, _ peer: ServerDoor.Peer) throws {
        counters.report(.malformedFrame(error))
        try send(.refused(.malformed(field: "frame", reason: "\(error.reason) at byte \(error.at)")), to: peer)
    }

    private func perform(_ request: LogRequest, bytes: Int, for peer: ServerDoor.Peer) throws {
        switch request {
        case .hello: try send(.head(store.head), to: peer)
        case .openSession(let producer):
            // What came earlier belongs to the earlier session.
            while !queue.isEmpty { try commitGroup() }
            let reply: LogReply
            do throws(StoreError) {
                reply = .session(try store.openSession(producer))
            } catch {
                try stopIfFatal()
                reply = LogReply(error)
            }
            try send(reply, to: peer)
        case .append(let append):
            if !queue.admit(.init(peer: peer, request: append, bytes: bytes)) { try sayBusy(to: peer) }
        case .read(let read):
            if !reads.enqueue(.init(peer: peer, request: read)) { try sayBusy(to: peer) }
        }
    }

    private func sayBusy(to peer: ServerDoor.Peer) throws {
        counters.report(.busy)
        try send(.refused(.busy(retryAfterMilliseconds: options.busyRetryMilliseconds)), to: peer)
    }

    // MARK: Commit

    private func commitGroup() throws {
        let group = queue.takeGroup()
        let outcome = store.append(group: group.map(\.request))
        for (waiting, result) in zip(group, outcome.results) {
            switch result {
            case .success(let receipt): try send(.receipt(receipt), to: waiting.peer)
            // Whether it is on disk nobody knows now: whoever asked asks again, and the restarted log knows.
            case .failure(.failed) where store.fatalFailure != nil: continue
            case .failure(let error):
                if case .refused(.unknownType(let type)) = error { counters.report(.unknownType(type)) }
                try send(LogReply(error), to: waiting.peer)
            }
        }
        noticeRoom(outcome)
        for frame in CommitFrames(outcome.committed, first: outcome.first) {
            for door in doors { try door.publish(frame) }
        }
        try stopIfFatal()
    }

    private func noticeRoom(_ outcome: GroupOutcome) {
        let refusals = outcome.results.compactMap { result -> String? in
            if case .failure(.refused(.readOnly(let reason))) = result { reason } else { nil }
        }
        if let reason = refusals.first {
            if !isReadOnly { counters.report(.readOnly(reason: reason)) }
            isReadOnly = true
        } else if isReadOnly, outcome.committedCount > 0 {
            counters.report(.writableAgain)
            isReadOnly = false
        }
    }

    private func stopIfFatal() throws(StoreError) {
        if let failure = store.fatalFailure { throw .failed(failure) }
    }

    // MARK: Answers

    private func send(_ reply: LogReply, to peer: ServerDoor.Peer) throws(ZeroMQError) {
        try send(reply.encoded(correlation: peer.correlation), to: peer)
    }

    private func send(_ frame: [UInt8], to peer: ServerDoor.Peer) throws(ZeroMQError) {
        if try !doors[peer.door].send(frame, to: peer.identity) { counters.report(.replyDropped) }
    }

    /// Once a second, and at once to whoever begins to listen, so that nothing is missed between reading and listening.
    private func tellHead() throws(ZeroMQError) {
        let now = monotonicMilliseconds()
        let isDue = now >= nextHeartbeat
        if isDue { nextHeartbeat = now + options.heartbeatMilliseconds }
        for door in doors where try door.hasNewSubscriber() || isDue {
            try door.publish(Publication.heartbeatFrame(head: store.head))
        }
    }
}
