import NIOCore
import NIOPosix
import Synchronization

/// One side of a TCP connection, in raw bytes.
final class Wire: Sendable {
    private struct State {
        var received: [UInt8] = []
        var isClosed = false
        var answered = 0
        var waiting: [(isMet: @Sendable ([UInt8]) -> Bool, resume: CheckedContinuation<Void, Never>)] = []
    }

    let channel: any Channel
    private let state = Mutex(State())

    init(_ channel: any Channel) { self.channel = channel }

    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// - Parameter readsAtOnce: false for a client that leaves everything lying until `read` is called.
    static func connect(_ port: Int, readsAtOnce: Bool = true, receiveBuffer: Int? = nil) async throws -> Wire {
        var bootstrap = ClientBootstrap(group: group).channelOption(.autoRead, value: readsAtOnce)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        return try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture { try Wire.attach(to: channel) }
        }
    }

    static func attach(
        to channel: any Channel, onBytes: (@Sendable (Wire) -> Void)? = nil
    ) throws -> Wire {
        let wire = Wire(channel)
        try channel.pipeline.syncOperations.addHandler(Receiver(wire, onBytes))
        return wire
    }

    func send(_ text: String) { send(Array(text.utf8)) }
    func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    /// Sends and waits until the system has it.
    func sent(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

    func close() { channel.close(promise: nil) }

    var text: String { String(decoding: state.withLock { $0.received }, as: UTF8.self) }
    var count: Int { state.withLock { $0.received.count } }
    /// For whoever plays the upstream to count by.
    var answered: Int {
        get { state.withLock { $0.answered } }
        set { state.withLock { $0.answered = newValue } }
    }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Everything so far as soon as the condition holds, or the connection has ended.
    @discardableResult
    func text(when isMet: @escaping @Sendable (String) -> Bool) async -> String {
        await wait { isMet(String(decoding: $0, as: UTF8.self)) }
        return text
    }

    @discardableResult
    func text(containing part: String) async -> String { await text { $0.contains(part) } }

    /// Everything, when the connection has ended.
    func whole() async -> String {
        await wait { _ in false }
        return text
    }

    func received(_ count: Int) async { await wait { $0.count >= count } }

    /// What came since the last time.
    func take() -> String {
        state.withLock { state in
            defer { state.received = [] }
            return String(decoding: state.received, as: UTF8.self)
        }
    }

    private func wait(_ isMet: @escaping @Sendable ([UInt8]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isClosed || isMet(state.received) { return true }
                state.waiting.append((isMet, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    fileprivate func take(_ bytes: ByteBuffer) {
        update { $0.received += bytes.readableBytesView }
    }

    fileprivate func end() { update { $0.isClosed = true } }

    private func update(_ change: (inout State) -> Void) {
        let ready = state.withLock { state in
            change(&state)
            let (isClosed, received) = (state.isClosed, state.received)
            let ready = state.waiting.filter { isClosed || $0.isMet(received) }
            if !ready.isEmpty { state.waiting.removeAll { isClosed || $0.isMet(received) } }
            return ready
        }
        for waiting in ready { waiting.resume.resume() }
    }
}

private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let wire: Wire
    private let onBytes: (@Sendable (Wire) -> Void)?

    init(_ wire: Wire, _ onBytes: (@Sendable (Wire) -> Void)?) {
        self.wire = wire
        self.onBytes = onBytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        wire.take(unwrapInboundIn(data))
        onBytes?(wire)
    }

    func channelInactive(context: ChannelHandlerContext) { wire.end() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension Wire {
    func putBack(_ text: String) { update { $0.received = Array(text.utf8) + $0.received } }
}

extension StringProtocol {
    /// Without Foundation's.
    func range(of part: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) {
                return start..<index(start, offsetBy: part.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
