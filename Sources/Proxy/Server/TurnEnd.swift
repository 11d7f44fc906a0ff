import NIOCore

/// What is written during one turn of an event loop is sent at the turn's end, one connection after the other.
///
/// Sending wakes whoever waits for it. Where programs share processors, the one that wakes takes the loop's place in the middle
/// of its work, and everybody whom the loop has yet to serve in this turn waits for that one, too: decision 14 has what it
/// cost. Used on its loop alone.
final class TurnEnd {
    private let loop: any EventLoop
    private var waiting: [any TurnEndSending] = []

    init(loop: any EventLoop) { self.loop = loop }

    /// Its bytes are sent when the loop has looked at everything that came in this turn.
    /// - Complexity: the first of a turn costs a task of the loop, every other one a place in an array.
    func send(_ connection: any TurnEndSending) {
        waiting.append(connection)
        if waiting.count == 1 { loop.assumeIsolated().execute { self.end() } }
    }

    private func end() {
        // Sending may make room for more, so that some are added meanwhile.
        var next = 0
        while next < waiting.count {
            waiting[next].sendWhatIsWritten()
            next += 1
        }
        waiting.removeAll(keepingCapacity: true)
    }
}

/// Whose written bytes wait for the end of a turn.
protocol TurnEndSending: AnyObject {
    /// Also called when nothing is left, or the connection is gone.
    func sendWhatIsWritten()
}
