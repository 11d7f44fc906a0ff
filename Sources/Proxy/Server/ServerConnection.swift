import NIOCore
import NIOHTTP1

/// One client's connection: one request after the other, whatever the client has sent ahead.
final class ServerConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests.
        case idle
        /// Bytes of a head have come.
        case head
        case body
        /// The handler has the request. The number tells its answer from a late one to another request.
        case deciding(UInt64)
        case forwarding(UpstreamCall)
        /// An answer has been given to a request that is not read to its end: the rest is thrown away.
        case draining
        case closed
    }

    let shared: LoopContext
    var context: ChannelHandlerContext?
    var phase = Phase.idle
    /// When the phase has lasted too long.
    var deadline: NIODeadline
    /// When the client has left too much lying for too long; nil while it takes what is there.
    var sendDeadline: NIODeadline?

    var request: HTTPRequestHead?
    var passed = RequestScreening.Passed()
    var started = NIODeadline.now()
    private var body = ByteBuffer()
    /// What this request has taken of the budget, in bytes.
    private var held = 0
    /// More of a body than this is held only for those who may call.
    private static let largeBody = 65_536
    private var isLargeAllowed = false
    /// Of a body that is read while it comes.
    var reader: (any BodyReading)?
    /// Whether the request was decided about before its end came.
    var isUploading = false
    /// When all of it has to be there.
    var bodyEnd = NIODeadline.distantFuture
    /// Since when its rest waits for the upstream.
    var blockedSince: NIODeadline?
    /// What of a body may be here while it passes: what one read brings, and twice as much on its way.
    private static let passingBytes = 192 << 10
    private var number: UInt64 = 0

    var answer: AnswerWriter?
    var output = ByteBuffer()
    /// Whether bytes wait for the end of the loop's turn.
    var isFlushDue = false

    /// What the client sent ahead, behind the rest of its request. Reading stops while something waits here, so it is bounded by what one read brings.
    var ahead = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 0)
    private var isReadHeld = false
    private var isTakingAhead = false
    /// What the client sent behind all that is no HTTP: nothing that comes later is read.
    private var isBroken = false
    /// Nothing comes behind the request that is being answered.
    var isLastAsked: Bool { isBroken && ahead.isEmpty }

    init(shared: LoopContext) {
        self.shared = shared
        deadline = .now() + shared.configuration.times.keepAlive
    }

    var times: ProxyTimes { shared.configuration.times }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        shared.add(self)
        if shared.isStopping { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { gone() }
    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    private func gone() {
        guard context != nil else { return }
        let phase = self.phase
        self.phase = .closed
        context = nil
        ahead.removeAll()
        release()
        shared.remove(self)
        if case .forwarding(let call) = phase { call.cancel(.clientGone) }
    }

    // MARK: Reading

    /// - Complexity: called for every read, so it does next to nothing.
    func bytesArrived() {
        guard case .idle = phase else { return }
        phase = .head
        deadline = .now() + times.head
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch phase {
        case .idle, .head, .body: take(part)
        case .deciding, .forwarding:
            ahead.append(part)
            upload()
        case .draining, .closed: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if ahead.isEmpty, !isUploadHeld { context.read() } else { isReadHeld = true }
    }

    /// What was not read meanwhile is read now.
    func readOn() {
        guard isReadHeld, ahead.isEmpty, !isUploadHeld, let context else { return }
        isReadHeld = false
        context.read()
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let bytes): collect(bytes)
        case .end: decideOnWhole()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        started = .now()
        request = head
        answer = nil
        isLargeAllowed = false
        phase = .body
        deadline = started + times.bodyPause
        bodyEnd = started + times.body
        switch RequestScreening.screen(head) {
        case .failure(let refusal): refuse(refusal.problem)
        case .success(let passed):
            self.passed = passed
            guard passed.contentLength ?? 0 <= shared.configuration.limits.bodyBytes else {
                return refuse(.bodyTooLarge)
            }
            if passed.contentLength ?? 0 > Self.largeBody, !allowsLarge(head) { return }
            if passed.expectsContinue, passed.isChunked || passed.contentLength ?? 0 > 0 {
                output.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
                flush()
            }
        }
    }

    private func collect(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard body.readableBytes + count <= shared.configuration.limits.bodyBytes else { return refuse(.bodyTooLarge) }
        if !isLargeAllowed, body.readableBytes + count > Self.largeBody, let request, !allowsLarge(request) { return }
        guard shared.budget.take(count) else { return refuse(.overloaded) }
        held += count
        if body.readableBytes == 0 { body = bytes } else { body.writeImmutableBuffer(bytes) }
        deadline = min(.now() + times.bodyPause, bodyEnd)
        if let reader { follow(reader.read(bytes)) }
    }

    private func follow(_ progress: BodyProgress) {
        switch progress {
        case .unclear: break
        case .clear:
            let rest = (passed.contentLength ?? 0) - body.readableBytes
            // All of it is here: whether it is right its end says in a moment.
            guard rest > 0 else { return }
            guard shared.budget.take(Self.passingBytes) else { return refuse(.overloaded) }
            held += Self.passingBytes
            isUploading = true
            context?.channel.setOption(.maxMessagesPerRead, value: 1).whenComplete { _ in }
            blockedSince = .now()
            decide(rest: rest)
        case .refused(let answer): refuse(with: answer)
        }
    }

    private func allowsLarge(_ head: HTTPRequestHead) -> Bool {
        isLargeAllowed = true
        switch shared.handler.course(ofBodyOf: head, length: passed.contentLength) {
        case .held: return true
        case .read(let reader):
            self.reader = reader
            // Without an announced length some of it is here already.
            guard body.readableBytes > 0, case .refused(let answer) = reader.read(body) else { return true }
            refuse(with: answer)
            return false
        case .refused(let answer):
            refuse(with: answer)
            return false
        }
    }

    private func decideOnWhole() {
        if let answer = reader?.finish() { give(answer) } else { decide(rest: 0) }
    }

    private func decide(rest: Int) {
        guard let request, let context else { return }
        number += 1
        phase = .deciding(number)
        deadline = .distantFuture
        let whole = ProxyRequest(head: request, body: body, rest: rest, reader: reader, started: started)
        body = ByteBuffer()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let (loop, number) = (context.eventLoop, self.number)
        shared.handler.begin(whole) { decision in
            if loop.inEventLoop { return bound.value.follow(decision, number) }
            loop.execute { bound.value.follow(decision, number) }
        }
    }

    private func follow(_ decision: ProxyDecision, _ number: UInt64) {
        guard case .deciding(number) = phase, context != nil else {
            if case .forward(_, let observer) = decision {
                _ = observer.ended(shared.isStopping ? .stopped : .clientGone)
            }
            return
        }
        switch decision {
        case .answer(let answer): give(answer)
        case .forward(let request, let observer):
            let call = UpstreamCall(request, observer: observer, client: self, times: times)
            phase = .forwarding(call)
            shared.pool.send(call)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        noteWritability()
        context.fireChannelWritabilityChanged()
    }

    // MARK: Between requests

    /// The answer is whole.
    func next() {
        let isRead = !isUploading
        release()
        guard let context else { return }
        // Of what still comes nobody wants anything.
        guard isRead else { return drain(context) }
        guard answer?.isKept == true, !passed.isLast, !shared.isStopping else { return closeAfterSending() }
        answer = nil
        request = nil
        phase = .idle
        deadline = .now() + times.keepAlive
        takeAhead(context)
        // Those before it have their answers.
        guard isBroken, ahead.isEmpty else { return }
        switch phase {
        case .idle: drain(context)
        case .head, .body: refuse(.malformed)
        case .deciding, .forwarding, .draining, .closed: break
        }
    }

    /// A loop, because each answer that is given at once comes back here.
    private func takeAhead(_ context: ChannelHandlerContext) {
        guard !isTakingAhead else { return }
        isTakingAhead = true
        while let part = ahead.popFirst() {
            if case .idle = phase { bytesArrived() }
            switch phase {
            case .idle, .head, .body: take(part)
            case .draining, .closed: ahead.removeAll()
            case .deciding, .forwarding:
                ahead.prepend(part)
                isTakingAhead = false
                return
            }
        }
        isTakingAhead = false
        readOn()
    }

    private func release() {
        body = ByteBuffer()
        reader = nil
        isUploading = false
        blockedSince = nil
        if held > 0 { shared.budget.give(held) }
        held = 0
    }

    /// Answers what is not read to its end, and reads on for a moment: a connection that is closed over unread bytes is
    /// reset, and the client would not see the answer.
    func refuse(_ problem: ProxyProblem) { refuse(with: shared.handler.answer(to: problem, target: request?.uri)) }

    func refuse(with answer: ProxyAnswer) {
        guard let context else { return }
        release()
        write(answer, isKept: false)
        drain(context)
    }

    private func drain(_ context: ChannelHandlerContext) {
        phase = .draining
        deadline = .now() + times.drain
        ahead.removeAll()
        readOn()
        let end = context.eventLoop.makePromise(of: Void.self)
        send(end)
        end.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            self?.context?.close(mode: .output, promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .dataReceivedInErrorState? = error as? ByteToMessageDecoderError { return }
        guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
        switch phase {
        case .idle, .head, .body:
            if case .invalidEOFState = error { return context.close(promise: nil) }
            refuse(error == .headerOverflow ? .headersTooLarge : .malformed)
        case .deciding, .forwarding:
            // Answers to what came before are still given; the connection ends behind them.
            isBroken = true
        case .draining, .closed: break
        }
    }
}
