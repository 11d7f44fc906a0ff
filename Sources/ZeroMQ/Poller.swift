import CZeroMQ
import Glibc

/// Waits for several sockets and file descriptors at once, on the one thread that owns them.
package struct Poller {
    /// Names one polled thing; given out by `add` in order.
    package struct Item: Hashable, Sendable { fileprivate let index: Int }

    private var items: [zmq_pollitem_t] = []

    package init() {}

    /// The socket must outlive the poller's last `wait`.
    package mutating func add(_ socket: borrowing Socket) -> Item {
        add(zmq_pollitem_t(socket: socket.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
    }

    /// Wakes the poller when the signal is given.
    package mutating func add(_ signal: WakeSignal) -> Item {
        add(zmq_pollitem_t(socket: nil, fd: signal.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
    }

    private mutating func add(_ item: zmq_pollitem_t) -> Item {
        items.append(item)
        return Item(index: items.count - 1)
    }

    /// Whether to wait for room to send as well.
    package mutating func setWantsToSend(_ wants: Bool, _ item: Item) {
        items[item.index].events = Int16(ZMQ_POLLIN | (wants ? ZMQ_POLLOUT : 0))
    }

    /// Returns when something is ready, a signal came, or the time is over; then try each of them.
    package mutating func wait(milliseconds: Int) throws(ZeroMQError) {
        guard zmq_poll(&items, Int32(items.count), milliseconds) < 0 else { return }
        let error = ZeroMQError.last("poll")
        guard error.kind == .interrupted else { throw error }
        for index in items.indices { items[index].revents = 0 }
    }
}
