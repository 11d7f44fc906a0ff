package import ZeroMQ

/// Where a log is reached: requests go to one endpoint, events come from the other.
package struct LogEndpoints: Hashable, Sendable {
    package var requests: String
    package var events: String

    package init(requests: String, events: String) {
        self.requests = requests
        self.events = events
    }
}

/// The door to the network: encrypted, and only for listed keys.
package struct SecureEndpoints: Sendable {
    package var endpoints: LogEndpoints
    package var keys: CurveKeyPair
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
    package var remote: SecureEndpoints?
    package var groupRequests = 256
    package var groupBytes = 8 << 20
    /// What may wait beside the group being written; beyond it the answer is "busy".
    package var queuedRequests = 1_024
    package var queuedBytes = 32 << 20
    package var busyRetryMilliseconds = 50
    package var heartbeatMilliseconds: Int64 = 1_000
    package var concurrentReads = 2
    package var queuedReads = 128

    package init(local: LogEndpoints, remote: SecureEndpoints? = nil) {
        self.local = local
        self.remote = remote
    }
}
