import EventLog
import ZeroMQ

/// The thread that listens for one subscriber: it takes what the wire brings at once, so that the wire never waits.
enum SubscriptionListener {
    static func start(
        _ options: RemoteLogOptions, _ inbox: SubscriptionInbox, _ onIncident: @escaping IncidentHandler
    ) {
        DedicatedThread.start {
            do throws(ZeroMQError) {
                try listen(options, inbox, onIncident)
            } catch {
                inbox.close(StoreError(error))
            }
        }
    }

    private static func listen(
        _ options: RemoteLogOptions, _ inbox: SubscriptionInbox, _ onIncident: IncidentHandler
    ) throws(ZeroMQError) {
        let socket = try Socket(options.context, .subscriber, limits: .publications)
        if let curve = options.curve { try socket.useCurve(curve.keys, server: curve.server) }
        try socket.connect(options.endpoints.events)
        var poller = Poller()
        _ = poller.add(inbox.wake)
        _ = poller.add(socket)
        var skipped = 0
        while inbox.ending == nil {
            try poller.wait(milliseconds: -1)
            try receive(from: socket, into: inbox, &skipped, onIncident)
        }
    }

    private static func receive(
        from socket: borrowing Socket, into inbox: SubscriptionInbox, _ skipped: inout Int,
        _ onIncident: IncidentHandler
    ) throws(ZeroMQError) {
        var message = Message()
        while inbox.ending == nil, try socket.receive(&message) {
            do throws(MalformedFrame) {
                let publication = try message.withUnsafeBytes { bytes throws(MalformedFrame) in
                    try Publication(bytes)
                }
                skipped += inbox.add(publication)
                // Told once a second, not once a message: a slow subscriber would drown its log otherwise.
                if case .heartbeat = publication, skipped > 0 {
                    onIncident(.publicationsSkipped(count: skipped))
                    skipped = 0
                }
            } catch {
                onIncident(.malformedFrame(error))
            }
        }
    }
}
