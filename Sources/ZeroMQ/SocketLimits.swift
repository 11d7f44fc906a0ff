/// The bounds of a socket. libzmq's own defaults are unbounded or wait forever, so every socket gets all of these.
package struct SocketLimits: Hashable, Sendable {
    /// Messages that wait to be sent, per peer; a router or publisher drops beyond it.
    package var sendHighWaterMessages: Int32 = 1_000
    /// Messages that wait to be received, per peer; beyond it the peer has to wait or drop.
    package var receiveHighWaterMessages: Int32 = 1_000
    /// A peer that sends a larger message is disconnected.
    package var messageBytes: Int64 = 32 << 20
    /// How long closing waits for what is not sent yet.
    package var lingerMilliseconds: Int32 = 1_000
    /// How often a peer is asked for a sign of life.
    package var heartbeatMilliseconds: Int32 = 2_000
    /// Without one for this long the connection is closed and made anew.
    package var heartbeatTimeoutMilliseconds: Int32 = 10_000
    /// A peer that has not finished its handshake by then is disconnected.
    package var handshakeMilliseconds: Int32 = 5_000
    /// The first pause before connecting again; it grows up to `reconnectMaximumMilliseconds`.
    package var reconnectMilliseconds: Int32 = 20
    /// A log that is back is found within a second.
    package var reconnectMaximumMilliseconds: Int32 = 1_000

    package init() {}
}
