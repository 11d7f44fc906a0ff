import NIOCore
import NIOHTTP1

/// A request that was decided about before its end came: the rest goes on as it arrives, and no faster than the upstream
/// takes it.
extension ServerConnection {
    /// Whether its rest has to wait, and so is left with the client.
    var isUploadHeld: Bool {
        guard isUploading, case .forwarding(let call) = phase else { return false }
        return !call.takesMore
    }

    /// Passes on what is here of the rest, as far as the upstream takes it.
    func upload() {
        guard isUploading, case .forwarding(let call) = phase else { return }
        if call.takesMore { noteTaking() }
        while isUploading, call.takesMore, let part = ahead.popFirst() { pass(part, to: call) }
        if isUploading, !call.takesMore, blockedSince == nil { blockedSince = .now() }
        readOn()
    }

    /// The time that the upstream took is not the client's.
    private func noteTaking() {
        let now = NIODeadline.now()
        if let blockedSince { bodyEnd = bodyEnd + (now - blockedSince) }
        blockedSince = nil
        deadline = min(now + times.bodyPause, bodyEnd)
    }

    private func pass(_ part: HTTPServerRequestPart, to call: UpstreamCall) {
        guard let reader else { return }
        switch part {
        case .head: break  // None comes before the end.
        case .body(let piece):
            if case .refused(let answer) = reader.read(piece) { return stopUpload(call, answer) }
            call.pass(piece)
        case .end:
            if let answer = reader.finish() { return stopUpload(call, answer) }
            isUploading = false
            call.passEnd()
        }
    }

    /// The upstream has not got the end, and does not get it.
    private func stopUpload(_ call: UpstreamCall, _ answer: ProxyAnswer) {
        call.cancel(.unfinished)
        if self.answer == nil { refuse(with: answer) } else { closeAfterSending() }
    }

    /// - Returns: whether the client was too slow, and the call is over.
    func endsSlowUpload(_ call: UpstreamCall, at now: NIODeadline) -> Bool {
        guard isUploading, call.takesMore, now > deadline else { return false }
        stopUpload(call, shared.handler.answer(to: .tooSlow, target: request?.uri))
        return true
    }
}
