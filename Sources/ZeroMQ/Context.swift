import CZeroMQ
import Glibc

/// A libzmq context: the I/O thread and the sockets of one purpose. It ends when its last socket is closed.
///
/// `@unchecked Sendable`: it holds one pointer to a libzmq context and nothing else;
/// libzmq documents contexts as safe for every thread, and the pointer never changes;
/// needed because each socket is made on the thread that uses it.
package final class Context: @unchecked Sendable {
    let handle: UnsafeMutableRawPointer

    package init() {
        guard let handle = zmq_ctx_new() else { preconditionFailure("out of memory for a libzmq context") }
        self.handle = handle
        zmq_ctx_set(handle, ZMQ_BLOCKY, 0)
    }

    /// Sockets keep their context, so none is open by now.
    deinit {
        while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
    }
}
