import NIOCore
import NIOHTTP1
import NIOHTTP2

/// The near end of a connection to an upstream, or of one stream of it: carries one call at a time.
final class UpstreamLink: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    private let owner: any UpstreamLinkOwner
    private let turnEnd: TurnEnd
    /// Of HTTP/1: writes a whole request when it is given the head. HTTP/2 takes it in parts.
    private let writer: RequestWriter?
    private var context: ChannelHandlerContext?
    private var call: UpstreamCall?
    /// Whether it carried calls before this one.
    private(set) var wasReused = false
    private var isKept = false
    /// Whether all of the request is with the system; an answer may come before.
    private var isSent = true
    private var isReadHeld = false
    /// Of a body that goes on while it arrives. However small, each has a buffer of its own.
    private var unsentPieces = 0
    private static let mostUnsentPieces = 64
    /// Since when it has had nothing to do.
    private(set) var idleSince = NIODeadline.now()
    /// Bodies up to this size are on their way when an answer to them comes.
    private static let certainlySentBytes = 16 << 10

    init(owner: any UpstreamLinkOwner, turnEnd: TurnEnd, writer: RequestWriter? = nil) {
        self.owner = owner
        self.turnEnd = turnEnd
        self.writer = writer
    }

    var isUsable: Bool { call == nil && context?.channel.isActive == true }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ call: UpstreamCall, isReuse: Bool) {
        guard let context else { return call.failed() }
        self.call = call
        wasReused = isReuse
        call.sent(over: self)
        let body = call.request.body
        isSent = body.readableBytes <= Self.certainlySentBytes && !call.isUploading
        let sent = isSent || call.isUploading ? nil : whenSent(call, context)
        let head = wrapOutboundOut(.head(Self.head(of: call.request)))
        if let writer {
            writer.body = body
            context.write(head, promise: sent)
        } else {
            context.write(head, promise: nil)
            if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
            if !call.isUploading { context.write(wrapOutboundOut(.end(nil)), promise: sent) }
        }
        turnEnd.send(self)
        if call.isUploading { call.mayGoOn() }
    }

    private func whenSent(_ call: UpstreamCall, _ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenSuccess { [weak self, weak call] in
            if let self, let call, self.call === call { self.isSent = true }
        }
        return sent
    }

    // MARK: A request that goes on before it is whole

    var takesMore: Bool { unsentPieces < Self.mostUnsentPieces && context?.channel.isWritable == true }

    func pass(_ piece: ByteBuffer) {
        guard let context else { return }
        unsentPieces += 1
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.pieceSent() }
        context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: sent)
        turnEnd.send(self)
    }

    private func pieceSent() {
        unsentPieces -= 1
        if unsentPieces == Self.mostUnsentPieces - 1, takesMore { call?.mayGoOn() }
    }

    func passEnd() {
        guard let context, let call else { return }
        context.write(wrapOutboundOut(.end(nil)), promise: whenSent(call, context))
        turnEnd.send(self)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { call?.mayGoOn() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: -

    private static func head(of request: UpstreamRequest) -> HTTPRequestHead {
        var fields = request.headers.all
        fields.add(name: "host", value: request.upstream.authority)
        fields.add(name: "via", value: "1.1 finops")
        let hasBody = request.method == .POST || request.method == .PUT || request.method == .PATCH
        let length = request.body.readableBytes + request.rest
        if hasBody || length > 0 { fields.add(name: "content-length", value: String(length)) }
        return HTTPRequestHead(version: .http1_1, method: request.method, uri: request.target, headers: fields)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let call else { return close() }  // Nobody has asked: what it says belongs to no answer.
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.status != .switchingProtocols else { return fail() }
            // More is to come, and the answer is not begun. (Of HTTP/1 the decoder keeps these to itself.)
            if head.status.code < 200 { return }
            // Of HTTP/2 this is not asked: a stream ends by itself.
            isKept = head.version.major >= 2 || head.isKeepAlive
            call.answered(head)
        case .body(let bytes): call.received(bytes)
        case .end: finish(call)
        }
    }

    private func finish(_ call: UpstreamCall) {
        self.call = nil
        idleSince = .now()
        // Before the client gets its end: its next request may follow at once and is to find this connection.
        // Requests that pass in pieces take none that was kept: kept, their connections would only grow in number.
        if isKept, isSent, call.request.rest == 0 { owner.isFree(self) } else { close() }
        call.completed()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        call?.readCompleted()
        context.fireChannelReadComplete()
    }

    /// What cannot be passed on is not read, so that it waits with the upstream.
    func read(context: ChannelHandlerContext) {
        if call?.isBlocked == true { isReadHeld = true } else { context.read() }
    }

    func resume() {
        guard isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }

    /// Nobody waits for this call's answer any longer.
    func abandon(_ call: UpstreamCall) {
        guard self.call === call else { return }
        self.call = nil
        close()
    }

    func close() {
        owner.isGone(self)
        context?.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isRefused = (error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .refusedStream
        if isRefused || error is IOError && isWhole { lost() } else { fail() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isWhole { lost() } else { fail() }
        context.fireChannelInactive()
    }

    /// A connection, not a stream of one. HTTP/2 says which streams were not looked at; of all others nobody knows.
    private var isWhole: Bool { writer != nil }

    /// It broke, perhaps before the upstream had read anything.
    private func lost() {
        let call = self.call
        self.call = nil
        close()
        guard let call else { return }
        if call.mayBeRetried(after: self) { owner.retry(call) } else { call.failed() }
    }

    /// It says what is no answer.
    private func fail() {
        let call = self.call
        self.call = nil
        close()
        call?.failed()
    }
}

extension UpstreamLink: TurnEndSending {
    func sendWhatIsWritten() { context?.flush() }
}

/// Who keeps a connection while it has nothing to do.
protocol UpstreamLinkOwner: AnyObject {
    func isFree(_ link: UpstreamLink)
    /// May be told more than once.
    func isGone(_ link: UpstreamLink)
    func retry(_ call: UpstreamCall)
}
