import NIOCore
import NIOHTTP1

/// Writes requests as HTTP/1. NIO's own encoder makes three writes of each; this one makes one of a head and a body that is
/// not large.
final class RequestWriter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    /// Larger bodies go as they are, after what is before them.
    private static let copiedBytes = 16 << 10

    private var output = ByteBuffer()

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            begin(head, context)
            promise?.succeed()
        case .body(.byteBuffer(let bytes)) where bytes.readableBytes <= Self.copiedBytes:
            output.writeImmutableBuffer(bytes)
            promise?.succeed()
        case .body(let bytes):
            pass(context, promise: nil)
            context.write(NIOAny(bytes), promise: promise)
        case .end: pass(context, promise: promise)
        }
    }

    /// How its body ends is said by its fields: they always name a length.
    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        output = context.channel.allocator.buffer(capacity: 1024)
        output.writeString(head.method.rawValue)
        output.writeStaticString(" ")
        output.writeString(head.uri)
        output.writeStaticString(" HTTP/1.1\r\n")
        for (name, value) in head.headers {
            output.writeString(name)
            output.writeStaticString(": ")
            output.writeString(value)
            output.writeStaticString("\r\n")
        }
        output.writeStaticString("\r\n")
    }

    private func pass(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let bytes = output
        output = ByteBuffer()
        context.write(wrapOutboundOut(bytes), promise: promise)
    }
}
