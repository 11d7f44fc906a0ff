package import NIOCore

/// Where the proxy listens, how, and what it bears.
package struct ProxyConfiguration: Sendable {
    package var listen: ListenAddress
    /// nil: plain HTTP, for loopback alone.
    package var tls: ProxyTLS?
    package var limits = ProxyLimits()
    package var times = ProxyTimes()
    /// Event loops, each with its own connections to the upstreams.
    package var threads: Int = System.coreCount

    package init(listen: ListenAddress, tls: ProxyTLS? = nil) {
        self.listen = listen
        self.tls = tls
    }
}

/// A numeric address and a port.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// IPv4 or IPv6, without brackets.
    package let host: String
    /// 0: the system chooses.
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Whether nothing of it leaves the machine.
    package var isLoopback: Bool { host == "::1" || host.hasPrefix("127.") }
    /// As it stands in a URL.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// PEM files of the proxy's own certificate, with its chain, and of the key that belongs to it.
package struct ProxyTLS: Hashable, Sendable {
    package let certificate: String
    package let key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// How much of everything there may be.
package struct ProxyLimits: Hashable, Sendable {
    /// All names and values of a head together.
    package var headerBytes = 32 << 10
    package var headerFields = 100
    package var bodyBytes = 32 << 20
    /// All bodies that are held at one time, those on their way upstream included.
    package var allBodiesBytes = 96 << 20
    package var connections = 8192

    package init() {}
}

/// How long is waited for what.
package struct ProxyTimes: Hashable, Sendable {
    /// For a head, from its first byte; also for a TLS handshake.
    package var head = TimeAmount.seconds(10)
    /// For the next bytes of a body.
    package var bodyPause = TimeAmount.seconds(10)
    /// For a whole body.
    package var body = TimeAmount.seconds(120)
    /// For the next request on a connection.
    package var keepAlive = TimeAmount.seconds(75)
    /// For a client to take what is there for it.
    package var send = TimeAmount.seconds(60)
    /// For what still arrives of a refused request.
    package var drain = TimeAmount.seconds(5)
    /// For a connection to an upstream, with its name and TLS.
    package var connect = TimeAmount.seconds(10)
    /// For an upstream's answer to begin.
    package var firstByte = TimeAmount.seconds(600)
    /// For an upstream's answer to go on.
    package var idle = TimeAmount.seconds(300)
    /// How long an unused connection to an upstream is kept.
    package var pool = TimeAmount.seconds(50)
    /// A reused connection that breaks later than this after a request was given to it was not stale: news of its end needs
    /// one round trip, and what takes longer may be a call that the upstream has read.
    package var stale = TimeAmount.milliseconds(250)
    /// How often deadlines are looked at.
    package var sweep = TimeAmount.milliseconds(250)

    package init() {}
}

/// Why the proxy does not start.
package struct ProxyFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}
