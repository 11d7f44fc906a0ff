package import ZeroMQ

/// Who we are, and which server we mean, on an encrypted connection.
package struct CurveClient: Sendable {
    package var keys: CurveKeyPair
    /// Known beforehand: a server with another key is not talked to.
    package var server: CurvePublicKey

    package init(keys: CurveKeyPair, server: CurvePublicKey) {
        self.keys = keys
        self.server = server
    }
}

/// How a program reaches its log, and how long it insists.
package struct RemoteLogOptions: Sendable {
    package var endpoints: LogEndpoints
    /// nil on `ipc://`.
    package var curve: CurveClient?
    /// After this long without a reply the request is sent again; doubled at each attempt.
    package var attemptMilliseconds: Int64 = 2_000
    /// After this long the caller hears `log-unreachable`.
    package var deadlineMilliseconds: Int64 = 30_000
    /// Calls without an answer at one time; a further one is refused as busy without being sent.
    package var requestsInFlight = 1_024
    /// What a subscription holds of the wire before it falls back to reading.
    package var bufferedBytes = 8 << 20
    /// Events of one batch of a subscription, at least when it reads them from the log.
    package var batchEvents = 4_096
    /// One I/O thread for everything that is made from these options.
    let context = Context()

    package init(endpoints: LogEndpoints, curve: CurveClient? = nil) {
        self.endpoints = endpoints
        self.curve = curve
    }
}
