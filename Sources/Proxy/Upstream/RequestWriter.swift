import NIOCore
import NIOHTTP1

/// Writes requests as HTTP/1. NIO's own encoder makes three writes of each, which go through all handlers; this one is given
/// the body before the head, and makes one of a head and a body that is not large.
final class RequestWriter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    /// Larger bodies go as they are, after the head.
    private static let copiedBytes = 16 << 10

    /// Of the request whose head comes next.
    var body = ByteBuffer()

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Nothing but heads is written to it; the part's other cases belong to HTTP/2.
        guard case .head(let head) = unwrapOutboundIn(data) else {
            promise?.succeed()
            return
        }
        let body = self.body
        self.body = ByteBuffer()
        let isCopied = body.readableBytes <= Self.copiedBytes
        var output = context.channel.allocator.buffer(capacity: 1024)
        Self.write(head, into: &output)
        if isCopied {
            output.writeImmutableBuffer(body)
            context.write(wrapOutboundOut(output), promise: promise)
        } else {
            context.write(wrapOutboundOut(output), promise: nil)
            context.write(wrapOutboundOut(body), promise: promise)
        }
    }

    /// How its body ends is said by its fields: they always name a length.
    private static func write(_ head: HTTPRequestHead, into output: inout ByteBuffer) {
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
}
