package import ZeroMQ

/// Where a log is reached: requests go to one endpoint, events come from the other.
package struct LogEndpoints: Hashable, Sendable {
    /// A ZeroMQ address, `ipc://…` or such as `tcp://10.0.0.5:7301`: asked by request and reply.
    package var requests: String
    /// Another address: what was committed is published there.
    package var events: String

    package init(requests: String, events: String) {
        self.requests = requests
        self.events = events
    }
}

/// The door to the network: encrypted, and only for listed keys.
package struct SecureEndpoints: Sendable {
    /// `tcp://` addresses to bind.
    package var endpoints: LogEndpoints
    /// The server's own: clients must know its public half beforehand.
    package var keys: CurveKeyPair
    /// Read once, when the server starts.
    package var access: AccessList

    package init(endpoints: LogEndpoints, keys: CurveKeyPair, access: AccessList) {
        self.endpoints = endpoints
        self.keys = keys
        self.access = access
    }

    /// - Parameter secretKey: the server's key in Z85, as its file holds it; nil is returned when it is none.
    package init?(_ endpoints: LogEndpoints, secretKey: String, access: AccessList) {
        guard let secret = CurveSecretKey(text: secretKey), let keys = CurveKeyPair(secretKey: secret) else {
            return nil
        }
        self.init(endpoints: endpoints, keys: keys, access: access)
    }
}

/// How a log server is reached, and the bounds it keeps.
package struct LogServerOptions: Sendable {
    /// Without authentication: `ipc://` in a private directory, or `inproc://`.
    package var local: LogEndpoints
    /// nil: this machine only.
    package var remote: SecureEndpoints?
    /// Requests of one commit at most: one sync on disk is shared by all of them.
    package var groupRequests = 256
    /// Of one commit; a larger request is committed alone.
    package var groupBytes = 8 << 20
    /// What may wait beside the group being written; beyond it the answer is "busy".
    package var queuedRequests = 1_024
    /// Of the frames that wait. One request always fits, whatever its size.
    package var queuedBytes = 32 << 20
    /// What a "busy" answer tells the writer to wait.
    package var busyRetryMilliseconds = 50
    /// How often the head is published, so that a lost last event is noticed.
    package var heartbeatMilliseconds: Int64 = 1_000
    /// Reads worked on at one time, beside the appends.
    package var concurrentReads = 2
    /// Reads that may wait for one of these; beyond it the answer is "busy".
    package var queuedReads = 128

    package init(local: LogEndpoints, remote: SecureEndpoints? = nil) {
        self.local = local
        self.remote = remote
    }
}
