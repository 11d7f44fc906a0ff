import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The SMTP mailbox: for loopback only, so it speaks no TLS and lets everybody in.
struct MailServer: Service {
    let port: Int
    let inbox: Inbox
    let control: Control
    /// Told the address as soon as somebody can connect to it.
    let announce: @Sendable (String) -> Void

    /// A line that is longer is nobody's; a connection that sends one is closed.
    private static let lineBytes = 64 << 10

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    func run() async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        if let port = listener.channel.localAddress?.port { announce("smtp://127.0.0.1:\(port)") }
        try await cancelWhenGracefulShutdown {
            try await withThrowingDiscardingTaskGroup { group in
                try await listener.executeThenClose { connections in
                    for try await connection in connections {
                        group.addTask { await serve(connection) }
                    }
                }
            }
        }
    }

    private func serve(_ connection: Connection) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                var conversation = Conversation(server: self, outbound: outbound)
                guard try await conversation.greet() else { return }
                var buffer = ByteBuffer()
                for try await var piece in inbound {
                    buffer.writeBuffer(&piece)
                    while let line = buffer.readLine() {
                        guard try await conversation.answer(line) else { return }
                    }
                    guard buffer.readableBytes <= Self.lineBytes else { return }
                    buffer.discardReadBytes()
                }
            }
        } catch {
            return  // The client went away in the middle of a sentence: what it had completed is in the inbox.
        }
    }

    /// One client's conversation: what the session answers, unless a fault is to meet it.
    private struct Conversation {
        let server: MailServer
        let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        var session = MailSession()

        /// - Returns: whether the conversation goes on; so for the two below.
        mutating func greet() async throws -> Bool {
            try await perform(.init(MailSession.greeting, at: .connect))
        }

        mutating func answer(_ line: ByteBufferView) async throws -> Bool {
            guard let step = session.take(line) else { return true }
            return try await perform(step)
        }

        private mutating func perform(_ step: MailSession.Step) async throws -> Bool {
            let fault = step.moment == nil ? nil : await server.control.fault(forReceiver: step.moment?.path ?? "")
            let isTaken = fault?.keepsMessage ?? true
            let trouble = "451 4.3.0 Trouble on demand"
            let reply =
                switch fault?.kind {
                case nil, .timeout, .slow: isTaken ? step.reply : trouble
                case .cut: ""
                case .reply: "\(fault?.code ?? 451) \(fault?.text ?? "Trouble on demand")"
                default: trouble
                }
            await note(step, isTaken: isTaken, answer: reply)
            if isTaken || step.moment == .end { session.apply(isTaken ? step.change : .reset) }
            if fault?.kind == .cut { return false }
            if let delay = fault?.delay { try await Task.sleep(for: delay) }
            try await outbound.write(ByteBuffer(string: reply + "\r\n"))
            return step.change != .quit && !reply.hasPrefix("421")
        }

        private func note(_ step: MailSession.Step, isTaken: Bool, answer: String) async {
            guard let moment = step.moment else { return }
            if case .complete(let envelope) = step.change {
                await server.inbox.take(.init(mail: envelope, isKept: isTaken, answer: answer), at: .mail)
            } else if !isTaken || answer.first.map({ $0 > "3" }) ?? true {
                await server.inbox.take(.init(refusedAt: moment, answer: answer), at: .mail)
            }
        }
    }
}

extension ByteBuffer {
    /// The next whole line without its CR LF; a line feed alone ends none, or one message could pass for two.
    fileprivate mutating func readLine() -> ByteBufferView? {
        let view = readableBytesView
        var place = view.startIndex
        while let end = view[place...].firstIndex(of: 10) {
            if end > view.startIndex, view[end - 1] == 13 {
                let line = view[view.startIndex..<(end - 1)]
                moveReaderIndex(forwardBy: end + 1 - view.startIndex)
                return line
            }
            place = end + 1
        }
        return nil
    }
}
