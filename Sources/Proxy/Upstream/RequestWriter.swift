import NIOCore
import NIOHTTP1

/// Writes requests as HTTP/1. NIO's own encoder makes three writes of each, which go through all handlers; this one is given
/// the body before the head, and makes one of a head and a body that is not large. Behind the head comes only what was not
/// there yet: the pieces of a body that goes on while it arrives, and its end.
final class RequestWriter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    /// Larger bodies go as they are, after the head.
    private static let copiedBytes = 16 << 10

    /// Of the request whose head comes next.
    var body = ByteBuffer()

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let head: HTTPRequestHead
        switch unwrapOutboundIn(data) {
        case .head(let next): head = next
        case .body(.byteBuffer(let piece)): return context.write(wrapOutboundOut(piece), promise: promise)
        case .body(.fileRegion):
            promise?.fail(ChannelError.operationUnsupported)
            return
        case .end: return context.write(wrapOutboundOut(ByteBuffer()), promise: promise)
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
