package import NIOCore
package import NIOHTTP1

/// Decides what becomes of each request. Called on the connection's event loop: it must not block.
package protocol CallHandling: Sendable {
    /// - Parameter then: called exactly once, from any thread; at once wherever nothing has to be waited for. A request
    ///   whose client has gone meanwhile is not forwarded: the observer is told at once that it has ended.
    func begin(_ request: ProxyRequest, then: @escaping @Sendable (ProxyDecision) -> Void)

    /// Asked before more of a large body is read: whoever may not call at all must not take the memory of those who may.
    /// - Parameter length: as announced, in bytes; nil without a word.
    func course(ofBodyOf head: HTTPRequestHead, length: Int?) -> BodyCourse

    /// The answer to what never became a call, in the manners of the route.
    /// - Parameter target: path and query as asked for; nil where the request was not even readable.
    func answer(to problem: ProxyProblem, target: String?) -> ProxyAnswer
}

extension CallHandling {
    package func course(ofBodyOf head: HTTPRequestHead, length: Int?) -> BodyCourse { .held }
}

/// What becomes of a large body.
package enum BodyCourse: Sendable {
    /// It is not read; this is the answer.
    case refused(ProxyAnswer)
    /// It is held until it is whole.
    case held
    /// It is held until its reader knows enough; the rest passes piece by piece. Without an announced length it is read, and
    /// held to its end.
    case read(any BodyReading)
}

/// Reads one body while it comes. Used on one event loop only: `read` for each piece, in order, then `finish`.
package protocol BodyReading: AnyObject, Sendable {
    func read(_ piece: ByteBuffer) -> BodyProgress
    /// All of it was read.
    /// - Returns: an answer if it must not go on: then the upstream does not get its end.
    func finish() -> ProxyAnswer?
}

/// How far a body was read.
package enum BodyProgress: Sendable {
    /// More has to come before anything is decided.
    case unclear
    /// The request can be decided about; from then on the pieces may go on.
    case clear
    /// It must not go on: this is the answer.
    case refused(ProxyAnswer)
}

/// One request as it arrived, never larger than the proxy's limit.
package struct ProxyRequest: Sendable {
    /// Origin-form target, one `Host`, nothing ambiguous about its length: anything else is refused before.
    package let head: HTTPRequestHead
    /// Whole, or its beginning.
    package let body: ByteBuffer
    /// Bytes that will come behind `body`.
    package let rest: Int
    /// What has read the body, where `course(ofBodyOf:)` said so.
    package let reader: (any BodyReading)?
    /// Monotonic, when its head was whole.
    package let started: NIODeadline

    package init(
        head: HTTPRequestHead, body: ByteBuffer, rest: Int = 0, reader: (any BodyReading)? = nil, started: NIODeadline
    ) {
        self.head = head
        self.body = body
        self.rest = rest
        self.reader = reader
        self.started = started
    }
}

/// What is done with a request.
package enum ProxyDecision: Sendable {
    /// Answered here: a refusal, or what the gateway knows by itself.
    case answer(ProxyAnswer)
    /// Sent on to an upstream that the configuration names, never the request; the observer sees all that comes back.
    case forward(UpstreamRequest, any CallObserving)
}

/// A whole answer made here. Hop-by-hop headers, `Date` and `Content-Length` are the proxy's own business.
package struct ProxyAnswer: Sendable {
    package let status: HTTPResponseStatus
    package let headers: HTTPHeaders
    package let body: ByteBuffer

    package init(status: HTTPResponseStatus, headers: HTTPHeaders, body: ByteBuffer) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What is sent upstream. `Host` and `Content-Length` are the proxy's own business.
package struct UpstreamRequest: Sendable {
    package let upstream: UpstreamAddress
    package let method: HTTPMethod
    /// Path and query.
    package let target: String
    package let headers: ForwardedFields
    /// Whole, or its beginning.
    package let body: ByteBuffer
    /// Bytes of the client's request that go on behind `body`, as they come.
    package let rest: Int

    package init(
        upstream: UpstreamAddress, method: HTTPMethod, target: String, headers: ForwardedFields, body: ByteBuffer,
        rest: Int = 0
    ) {
        self.upstream = upstream
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.rest = rest
    }
}

/// A server that calls go to.
package struct UpstreamAddress: Hashable, Sendable {
    package let host: String
    package let port: Int
    package let isTLS: Bool
    /// Path of a PEM file with authorities that are trusted besides the system's.
    package let authorities: String?
    /// As it stands in `Host`: worked out once, because every call says it.
    let authority: String

    package init(host: String, port: Int, isTLS: Bool, authorities: String? = nil) {
        self.host = host
        self.port = port
        self.isTLS = isTLS
        self.authorities = authorities
        let name = host.contains(":") ? "[\(host)]" : host
        authority = port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(authority) }
}

/// Watches one attempt. Used on one event loop only, in this order: `sent`, `answered`, `received` any number of times, `ended`
/// once (also without any of the others).
package protocol CallObserving: AnyObject, Sendable {
    /// The request is about to go to the upstream, or the end of one that goes in pieces: from now on it may be charged.
    /// Said again where a kept connection turns out to be closed and another one carries it.
    func sent()
    /// - Returns: the headers for the client, without `Content-Length` if the observer is going to change the body's
    ///   length; the proxy takes the hop-by-hop ones off before and after.
    func answered(status: HTTPResponseStatus, headers: HTTPHeaders) -> HTTPHeaders
    /// - Parameter isLast: whether `ended` is said before anything of them goes to the client.
    /// - Returns: what the client gets of these bytes, which may be less or nothing.
    func received(_ bytes: ByteBuffer, isLast: Bool) -> ByteBuffer
    /// Called before the last byte of the answer is released, so that what must not be lost is written first.
    /// - Returns: bytes that were kept back and still belong to the answer.
    func ended(_ end: CallEnd) -> ByteBuffer
    /// Asked for behind `ended` where no answer began and the client still waits for one: `timedOut` or `unreachable`.
    func answer(insteadOf end: CallEnd) -> ProxyAnswer
}

/// How an attempt ended.
package enum CallEnd: String, Hashable, Sendable {
    /// The upstream's answer was whole.
    case complete
    /// The client closed before that.
    case clientGone = "client-gone"
    /// The request went on before it was whole, and then came too slowly or was not what it began as.
    case unfinished = "request-unfinished"
    /// The upstream closed in the middle of its answer.
    case upstreamCut = "upstream-cut"
    /// The upstream was silent for too long.
    case timedOut = "timed-out"
    /// This program was asked to stop, and could not wait for the rest.
    case stopped = "gateway-stopped"
    /// No connection, or it broke before an answer began.
    case unreachable
}
