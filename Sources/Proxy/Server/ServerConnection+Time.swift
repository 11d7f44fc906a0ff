import NIOCore

/// What takes too long, and the program's end.
extension ServerConnection {
    func look(at now: NIODeadline) {
        if let sendDeadline, now > sendDeadline { return abandon() }
        if case .forwarding(let call) = phase {
            if !endsSlowUpload(call, at: now) { call.look(at: now) }
            return
        }
        guard now > deadline else { return }
        switch phase {
        case .head, .body: refuse(.tooSlow)
        case .idle: closeAfterSending()
        case .draining: abandon()
        case .deciding, .forwarding, .closed: break
        }
    }

    private func abandon() { context?.close(promise: nil) }

    /// Whether the client leaves too much lying to be sent more.
    var isBlocked: Bool { sendDeadline != nil }

    func noteWritability() {
        guard let context else { return }
        if context.channel.isWritable {
            guard sendDeadline != nil else { return }
            sendDeadline = nil
            if case .forwarding(let call) = phase { call.resume() }
        } else if sendDeadline == nil {
            sendDeadline = .now() + times.send
        }
    }

    /// The program stops: what runs may end, and nothing begins.
    func stop() {
        switch phase {
        // The client may not have taken all of its last answer yet.
        case .idle, .head: closeAfterSending()
        case .body, .deciding, .forwarding, .draining, .closed: break
        }
    }

    /// The program cannot wait any longer.
    func cut() {
        if case .forwarding(let call) = phase {
            phase = .draining
            call.cancel(.stopped)
        }
        abandon()
    }
}
