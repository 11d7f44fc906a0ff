import CZeroMQ
import Glibc

/// A libzmq call that failed, with its errno kept: "try again", "a signal came" and "the context ends" are three
/// different stories, and a caller tells them apart by `kind`.
package struct ZeroMQError: Error, Hashable, Sendable {
    /// The stories that callers tell apart.
    package enum Kind: Hashable, Sendable {
        /// EAGAIN: nothing to receive, or no room to send.
        case wouldBlock
        /// EINTR: a signal arrived first.
        case interrupted
        /// ETERM: the context was shut down; close the sockets.
        case terminated
        /// EHOSTUNREACH: a router's peer is gone.
        case unreachable
        case other
    }

    /// The libzmq function, such as `zmq_bind`.
    package let operation: String
    package let errno: Int32

    package init(operation: String, errno: Int32) {
        self.operation = operation
        self.errno = errno
    }

    /// The failure of the call just made on this thread.
    static func last(_ operation: String) -> ZeroMQError {
        ZeroMQError(operation: operation, errno: zmq_errno())
    }

    package var kind: Kind {
        switch errno {
        case EAGAIN: .wouldBlock
        case EINTR: .interrupted
        case ETERM: .terminated
        case EHOSTUNREACH: .unreachable
        default: .other
        }
    }
}

extension ZeroMQError: CustomStringConvertible {
    package var description: String {
        "\(operation): \(String(cString: zmq_strerror(errno))) (errno \(errno))"
    }
}
