/// Why no server took a message. Nothing in it is secret, and no address of a person is.
package struct MailFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, as far as a caller may act on it.
    package enum Kind: String, Hashable, Sendable {
        case cannotResolve = "cannot-resolve"
        case cannotConnect = "cannot-connect"
        case timedOut = "timed-out"
        /// A certificate that is not trusted, no common protocol, or no STARTTLS.
        case tlsFailed = "tls-failed"
        /// The server went away without an answer.
        case connectionLost = "connection-lost"
        /// The server said no; `reply` is its word.
        case refused
        /// The server said no to user and password.
        case loginRefused = "login-refused"
        /// The address of the server, an envelope address or the message cannot be sent; nothing left this machine.
        case invalidMail = "invalid-mail"
        case cancelled
        case other = "mail-failed"
    }

    package let kind: Kind
    /// The server's own word on the command that failed.
    package let reply: SMTPReply?
    /// What it said to each recipient; empty where it did not come to that.
    package let recipients: [SMTPReply]
    /// What happened and with which host, for people.
    package let message: String
    /// The whole message was handed over and nothing was heard after: it may have been taken.
    package let isUncertain: Bool

    package init(
        _ kind: Kind, reply: SMTPReply? = nil, recipients: [SMTPReply] = [], message: String, isUncertain: Bool = false
    ) {
        self.kind = kind
        self.reply = reply
        self.recipients = recipients
        self.message = message
        self.isUncertain = isUncertain
    }

    package var code: String { kind.rawValue }

    /// Whether the same message may be taken later without a change: what nobody refused, and what was refused for now.
    package var isRetriable: Bool {
        switch kind {
        case .refused, .loginRefused: reply?.isTemporary == true || recipients.contains(where: \.isTemporary)
        case .cannotResolve, .cannotConnect, .timedOut, .connectionLost, .other: true
        case .tlsFailed, .invalidMail, .cancelled: false
        }
    }

    package var description: String { "\(message) (\(code))" }
}
