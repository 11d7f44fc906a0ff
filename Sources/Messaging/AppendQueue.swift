import EventLog

/// Appends that wait for the next commit, in the order they came. Bounded in requests and bytes.
struct AppendQueue {
    struct Waiting {
        var peer: ServerDoor.Peer
        var request: AppendRequest
        var bytes: Int
    }

    private let options: LogServerOptions
    private var waiting: [Waiting] = []
    private var bytes = 0

    init(_ options: LogServerOptions) { self.options = options }

    var isEmpty: Bool { waiting.isEmpty }

    /// - Returns: false when the queue is full; one request always fits.
    mutating func admit(_ request: Waiting) -> Bool {
        guard isEmpty || (waiting.count < options.queuedRequests && bytes + request.bytes <= options.queuedBytes) else {
            return false
        }
        waiting.append(request)
        bytes += request.bytes
        return true
    }

    /// What goes into one commit: everything that waits, within the bounds of a group, and at least one.
    mutating func takeGroup() -> [Waiting] {
        var count = 0
        var groupBytes = 0
        for request in waiting.prefix(options.groupRequests) {
            if count > 0, groupBytes + request.bytes > options.groupBytes { break }
            count += 1
            groupBytes += request.bytes
        }
        defer {
            waiting.removeFirst(count)
            bytes -= groupBytes
        }
        return Array(waiting.prefix(count))
    }
}
