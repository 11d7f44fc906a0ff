import NIOCore
import NIOHTTP1

/// One attempt, between a client's connection and one to its upstream. Used on the event loop of both.
final class UpstreamCall {
    enum Stage { case connecting, uploading, waiting, answering, ended }

    let request: UpstreamRequest
    private let observer: any CallObserving
    private(set) var client: ServerConnection?
    private(set) var stage = Stage.connecting
    private let times: ProxyTimes
    private var deadline: NIODeadline
    private var given = NIODeadline.distantFuture
    private weak var link: UpstreamLink?
    private var isRetried = false
    /// The request's end has not come yet.
    private(set) var isUploading: Bool
    /// More than its beginning has gone on.
    private var hasPassed = false
    /// What one read has brought of the answer's body and was not passed on yet: a stream's pieces are metered, framed and
    /// sent together.
    private var gathered = ByteBuffer()
    /// More than this is passed on before the read's end.
    private static let gatheredBytes = 16 << 10

    init(
        _ request: UpstreamRequest, observer: any CallObserving, client: ServerConnection, times: ProxyTimes
    ) {
        self.request = request
        self.observer = observer
        self.client = client
        self.times = times
        deadline = .now() + times.connect
        isUploading = request.rest > 0
    }

    /// Whether somebody still waits for it.
    var isWanted: Bool { stage != .ended }
    /// Whether the client leaves too much lying.
    var isBlocked: Bool { client?.isBlocked == true }

    // MARK: From the upstream's side

    /// The request is on its way.
    func sent(over link: UpstreamLink) {
        self.link = link
        given = .now()
        if isUploading {
            stage = .uploading
            deadline = given + times.idle
            return
        }
        stage = .waiting
        deadline = given + times.firstByte
        observer.sent()
    }

    func answered(_ head: HTTPResponseHead) {
        guard isWanted else { return }
        stage = .answering
        let headers = observer.answered(status: head.status, headers: HopByHop.stripped(head.headers))
        client?.begin(head.status, HopByHop.stripped(headers))
    }

    func received(_ bytes: ByteBuffer) {
        guard isWanted else { return }
        let (held, more) = (gathered.readableBytes, bytes.readableBytes)
        if held > 0, held + more <= Self.gatheredBytes {
            if held + more > gathered.capacity || gathered.writableBytes < more {
                var room = ByteBufferAllocator().buffer(capacity: max(4_096, 2 * (held + more)))
                room.writeImmutableBuffer(gathered)
                gathered = room
            }
            gathered.writeImmutableBuffer(bytes)
        } else {
            passOn()
            gathered = bytes
        }
    }

    private func passOn(isLast: Bool = false) {
        guard gathered.readableBytes > 0 else { return }
        let bytes = gathered
        gathered = ByteBuffer()
        let passed = observer.received(bytes, isLast: isLast)
        client?.write(passed)
    }

    /// Everything that one read brought has been told.
    func readCompleted() {
        guard isWanted, stage == .answering else { return }
        passOn()
        deadline = .now() + times.idle
        client?.flushAtTurnEnd()
    }

    /// - Returns: whether another connection may carry it: this one had been kept, was found closed at once, all of the
    ///   request is still there, and nothing of an answer arrived.
    func mayBeRetried(after link: UpstreamLink) -> Bool {
        guard request.rest == 0 ? stage == .waiting : stage == .uploading && !hasPassed, !isRetried, link.wasReused,
            NIODeadline.now() < given + times.stale
        else {
            return false
        }
        isRetried = true
        stage = .connecting
        self.link = nil
        deadline = .now() + times.connect
        return true
    }

    func completed() { end(.complete) }
    func failed() { end(stage == .answering ? .upstreamCut : .unreachable) }

    // MARK: The rest of a request

    /// Whether the upstream takes another piece now; if not, `UpstreamLink` says `mayGoOn` when it does.
    var takesMore: Bool { link?.takesMore == true }

    func pass(_ piece: ByteBuffer) {
        hasPassed = true
        link?.pass(piece)
        noteTaking()
    }

    /// While it takes what comes and has not begun to answer, only the client's time runs; else its own begins anew.
    private func noteTaking() {
        deadline = stage == .uploading && takesMore ? .distantFuture : .now() + times.idle
    }

    func passEnd() {
        isUploading = false
        observer.sent()
        link?.passEnd()
        guard stage == .uploading else { return }
        stage = .waiting
        deadline = .now() + times.firstByte
    }

    func mayGoOn() {
        guard isWanted, isUploading else { return }
        noteTaking()
        client?.upload()
    }

    // MARK: From the client's side

    /// The client takes again what is there for it.
    func resume() {
        deadline = .now() + times.idle
        link?.resume()
    }

    /// Nobody waits for the answer any longer: the upstream is told so at once.
    func cancel(_ end: CallEnd) {
        guard isWanted else { return }
        stage = .ended
        client = nil
        // What came counts, whoever takes it.
        passOn()
        _ = observer.ended(end)
        let link = self.link
        self.link = nil
        link?.abandon(self)
    }

    func look(at now: NIODeadline) {
        guard isWanted, now > deadline, !isBlocked else { return }
        let link = self.link
        // A connection that cannot be made is no answer that is late.
        end(stage == .connecting ? .unreachable : .timedOut)
        link?.abandon(self)
    }

    private func end(_ end: CallEnd) {
        guard isWanted else { return }
        passOn(isLast: true)
        // Sending may have found the client gone, which ends it, too.
        guard isWanted else { return }
        let hasAnswer = stage == .answering
        stage = .ended
        link = nil
        let rest = observer.ended(end)
        let client = self.client
        self.client = nil
        if hasAnswer {
            client?.ended(end, rest)
        } else {
            client?.give(insteadOfAnswer: observer.answer(insteadOf: end))
        }
    }
}
