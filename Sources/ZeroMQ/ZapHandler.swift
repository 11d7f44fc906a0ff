/// Answers libzmq's question "may this key connect?" (ZAP, RFC 27) for all CURVE sockets of a context.
package final class ZapHandler {
    /// To be polled; when something waits, call `answerWaiting`.
    package let socket: Socket

    /// Bind it before any socket that requires CURVE.
    package init(_ context: Context) throws(ZeroMQError) {
        let socket = try Socket(context, .reply)
        _ = try socket.bind("inproc://zeromq.zap.01")
        self.socket = socket
    }

    /// Answers everything that waits.
    /// - Parameters:
    ///   - isAllowed: asked with the client's key.
    ///   - denied: told of each refusal, with the key if there was one.
    package func answerWaiting(
        isAllowed: (CurvePublicKey) -> Bool, denied: (CurvePublicKey?) -> Void
    ) throws(ZeroMQError) {
        while let frames = try receiveFrames() {
            // version, request id, domain, address, identity, mechanism, credentials
            let key = frames.count == 7 && frames[5] == Array("CURVE".utf8) ? CurvePublicKey(bytes: frames[6]) : nil
            let allowed = key.map(isAllowed) ?? false
            if !allowed { denied(key) }
            try reply(to: frames.count > 1 ? frames[1] : [], user: allowed ? key : nil)
        }
    }

    private func receiveFrames() throws(ZeroMQError) -> [[UInt8]]? {
        var message = Message()
        guard try socket.receive(&message) else { return nil }
        var frames = [message.bytes]
        while message.hasMore, try socket.receive(&message) { frames.append(message.bytes) }
        return frames
    }

    private func reply(to request: [UInt8], user: CurvePublicKey?) throws(ZeroMQError) {
        let status = user == nil ? ("400", "not on the list") : ("200", "OK")
        for frame in [Array("1.0".utf8), request, Array(status.0.utf8), Array(status.1.utf8)] {
            _ = try socket.send(frame, more: true)
        }
        _ = try socket.send(Array((user?.text ?? "").utf8), more: true)
        _ = try socket.send([])
    }
}
