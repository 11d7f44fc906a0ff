import NIOCore
import NIOHTTP1

extension ServerConnection {
    /// Up to here bytes are copied behind each other and cost one system call together; larger ones go as they are.
    private static let copiedBytes = 16 << 10

    /// Whether the request allows another one after it.
    private var mayKeep: Bool {
        request?.isKeepAlive == true && !passed.isLast && !isLastAsked && !isUploading && !shared.isStopping
    }

    /// A whole answer of our own.
    func give(_ answer: ProxyAnswer) {
        write(answer, isKept: mayKeep)
        flush()
        next()
    }

    /// The attempt is over, and the upstream has said nothing.
    func give(insteadOfAnswer answer: ProxyAnswer) {
        guard context != nil else { return }
        give(answer)
    }

    func write(_ answer: ProxyAnswer, isKept: Bool) {
        var headers = HopByHop.stripped(answer.headers)
        headers.replaceOrAdd(name: "content-length", value: String(answer.body.readableBytes))
        start(answer.status, headers, isKept: isKept, date: shared.date)
        write(answer.body)
        self.answer?.finish(into: &output)
    }

    // MARK: From the upstream

    func begin(_ status: HTTPResponseStatus, _ headers: HTTPHeaders) {
        start(status, headers, isKept: mayKeep, date: nil)
    }

    private func start(_ status: HTTPResponseStatus, _ headers: HTTPHeaders, isKept: Bool, date: String?) {
        if output.capacity == 0, let context { output = context.channel.allocator.buffer(capacity: 1024) }
        answer = AnswerWriter(status, headers, to: request, isKept: isKept, date: date, into: &output)
    }

    func write(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard count > 0, answer?.begin(count, into: &output) == true else { return }
        if count <= Self.copiedBytes {
            output.writeImmutableBuffer(bytes)
        } else if let context {
            pass(context)
            context.write(wrapOutboundOut(bytes), promise: nil)
        }
        answer?.end(into: &output)
    }

    /// The attempt is over; these bytes still belong to the answer.
    func ended(_ end: CallEnd, _ rest: ByteBuffer) {
        guard context != nil else { return }
        write(rest)
        if end == .complete {
            answer?.finish(into: &output)
            flushAtTurnEnd()
            next()
        } else {
            // Without its end, so that the client sees that something is missing.
            phase = .draining
            closeAfterSending()
        }
    }

    // MARK: Sending

    private func pass(_ context: ChannelHandlerContext) {
        guard output.readableBytes > 0 else { return }
        let bytes = output
        output = ByteBuffer()
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        guard let context else { return }
        pass(context)
        context.flush()
        noteWritability()
    }

    /// For what an upstream said: several of its answers may have come together.
    func flushAtTurnEnd() {
        guard !isFlushDue else { return }
        isFlushDue = true
        shared.turnEnd.send(self)
    }

    /// - Parameter done: fulfilled when the system has everything.
    func send(_ done: EventLoopPromise<Void>) {
        guard let context else { return done.fail(ChannelError.ioOnClosedChannel) }
        let bytes = output
        output = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(bytes), promise: done)
        noteWritability()
    }

    func closeAfterSending() {
        guard let context else { return }
        phase = .draining
        deadline = .now() + times.send
        let done = context.eventLoop.makePromise(of: Void.self)
        send(done)
        done.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.context?.close(promise: nil) }
    }
}

extension ServerConnection: TurnEndSending {
    func sendWhatIsWritten() {
        isFlushDue = false
        flush()
    }
}
