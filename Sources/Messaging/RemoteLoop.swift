import EventLog
import Synchronization
import ZeroMQ

/// What passes between callers and the thread that owns their socket.
final class RemoteMailbox: Sendable {
    struct Submission: Sendable {
        var frame: [UInt8]
        var needsNewest: Bool
        var call: PendingCall
    }

    private struct State {
        var submissions: [Submission] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let limit: Int
    /// How many requests the thread has, told by it.
    let inFlight = Atomic(0)
    let wake = WakeSignal()

    init(limit: Int) { self.limit = limit }

    func submit(_ submission: Submission) {
        let refusal: StoreError? = state.withLock { state in
            if state.isClosed { return .failed(.closed) }
            if inFlight.load(ordering: .relaxed) + state.submissions.count >= limit {
                return .refused(.busy(retryAfterMilliseconds: 50))
            }
            state.submissions.append(submission)
            return nil
        }
        if let refusal { return submission.call.finish(.failure(refusal)) }
        wake.signal()
    }

    /// - Returns: nil when it is closed, and then whatever was not taken is finished.
    func take() -> [Submission]? {
        state.withLock { state in
            if state.isClosed { return nil }
            defer { state.submissions = [] }
            return state.submissions
        }
    }

    func close() {
        let left = state.withLock { state in
            defer { state.submissions = [] }
            state.isClosed = true
            return state.submissions
        }
        for submission in left { submission.call.finish(.failure(.failed(.closed))) }
        wake.signal()
    }
}

/// The body of the thread behind a `RemoteEventStore`: sends what callers submit, and gives replies to whoever waits.
final class RemoteLoop {
    private static let tickMilliseconds: Int64 = 100

    private let options: RemoteLogOptions
    private let mailbox: RemoteMailbox
    private let socket: Socket
    private let monitor: SocketMonitor
    private let onIncident: IncidentHandler
    private var table: RequestTable<PendingCall>
    private var wasDisconnected = false
    private var nextTick: Int64 = 0

    init(
        _ options: RemoteLogOptions, _ mailbox: RemoteMailbox, onIncident: @escaping IncidentHandler
    ) throws(ZeroMQError) {
        self.options = options
        self.mailbox = mailbox
        self.onIncident = onIncident
        table = RequestTable(
            attemptMilliseconds: options.attemptMilliseconds, deadlineMilliseconds: options.deadlineMilliseconds)
        var limits = SocketLimits.requests
        limits.lingerMilliseconds = 0  // What has no reply by now is told to its caller as not done.
        socket = try Socket(options.context, .dealer, limits: limits)
        monitor = try SocketMonitor(options.context, of: socket)
        if let curve = options.curve { try socket.useCurve(curve.keys, server: curve.server) }
        try socket.connect(options.endpoints.requests)
    }

    /// Runs until the mailbox is closed.
    func run() throws(ZeroMQError) {
        defer { for call in table.removeAll() { call.finish(.failure(.failed(.closed))) } }
        var poller = Poller()
        _ = poller.add(mailbox.wake)
        _ = poller.add(monitor.socket)
        let item = poller.add(socket)
        var isBlocked = false
        while true {
            poller.setWantsToSend(isBlocked, item)
            try poller.wait(milliseconds: table.isEmpty ? -1 : Int(Self.tickMilliseconds))
            mailbox.wake.clear()
            guard let submissions = mailbox.take() else { return }
            let now = monotonicMilliseconds()
            for each in submissions {
                table.add(each.frame, needsNewest: each.needsNewest, waiter: each.call, now: now)
            }
            try noticeReconnection()
            try receiveReplies()
            giveUpOnLateOnes(now)
            isBlocked = try !sendWaiting(now)
            mailbox.inFlight.store(table.count, ordering: .relaxed)
        }
    }

    private func noticeReconnection() throws(ZeroMQError) {
        while let event = try monitor.next() {
            switch event {
            case .connected:
                if wasDisconnected { table.reconnected() }
                wasDisconnected = false
            case .disconnected: wasDisconnected = true
            case .handshakeFailed, .authenticationFailed: onIncident(.handshakeFailed)
            }
        }
    }

    private func receiveReplies() throws(ZeroMQError) {
        var message = Message()
        while try socket.receive(&message) {
            let correlation = message.withUnsafeBytes { FrameReader.correlation(of: $0) }
            guard let correlation, !message.hasMore else {
                onIncident(.malformedFrame(MalformedFrame(reason: "no reply of a log", at: 0)))
                continue
            }
            table.answered(correlation)?.finish(.success(message.bytes))
        }
    }

    private func giveUpOnLateOnes(_ now: Int64) {
        guard now >= nextTick else { return }
        nextTick = now + Self.tickMilliseconds
        table.forget(where: \.isFinished)
        for call in table.expire(now: now) {
            let seconds = options.deadlineMilliseconds / 1_000
            call.finish(.failure(.failed(.unreachable(options.endpoints.requests, seconds: seconds))))
        }
    }

    /// - Returns: false when the rest has to wait for room or a connection.
    private func sendWaiting(_ now: Int64) throws(ZeroMQError) -> Bool {
        while let frame = table.firstToSend() {
            guard try socket.send(frame) == .sent else { return false }
            table.sentFirst(now: now)
        }
        return true
    }
}
