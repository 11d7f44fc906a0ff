import NIOCore

/// What takes too long, and the program's end.
extension ServerConnection {
    func look(at now: NIODeadline) {
        if let sendDeadline, now > sendDeadline { return abandon() }
        if case .forwarding(let call) = phase { return call.look(at: now) }
        guard now > deadline else { return }
        switch phase {
        case .head, .body: refuse(.tooSlow)
        case .idle, .draining: abandon()
        case .deciding, .forwarding, .closed: break
        }
    }

    private func abandon() {
        // What waits for the turn's end would be lost.
        if isFlushDue { sendWhatIsWritten() }
        context?.close(promise: nil)
    }

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
        case .idle, .head: abandon()
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
