/// How far a conversation with a mail server has come, from the commands and replies as they go by.
struct MailDialogue {
    enum Stage: String, Sendable {
        case greeting
        case hello = "EHLO"
        case encryption = "STARTTLS"
        case login = "AUTH"
        case sender = "MAIL"
        case recipient = "RCPT"
        case data = "DATA"
        /// From the go-ahead to the reply after the final dot.
        case message
        /// The message has its answer; what is said from here on matters no more.
        case over
    }

    private(set) var stage = Stage.greeting
    /// To the newest command; nil until it is complete.
    private(set) var reply: SMTPReply?
    /// One for each RCPT that was answered, in their order.
    private(set) var recipients: [SMTPReply] = []
    /// To the message.
    private(set) var answer: SMTPReply?
    private var lines: [Substring] = []
    /// The client said goodbye, as it does after a failure, too: the word on the command before is what counts.
    private(set) var hasLeft = false

    /// Bytes of replies after which nothing more of them is kept.
    private static let textLimit = 1_000

    /// A command was sent. A line that is none is part of a login and is not looked at.
    mutating func said(_ command: String) {
        let verb = command.prefix { $0.isLetter }.uppercased()
        if verb == "QUIT" { hasLeft = true }
        guard stage != .over, !hasLeft else { return }
        if verb == "HELO" { stage = .hello }
        if let next = Stage(rawValue: verb) { stage = next }
        reply = nil
        lines = []
    }

    /// A line of a reply came: `250-more to come` or `250 the last`.
    mutating func heard(_ line: String) {
        guard stage != .over, !hasLeft, let code = Int(line.prefix(3)), (200..<600).contains(code) else { return }
        lines.append(line.dropFirst(4))
        if line.dropFirst(3).first == "-" { return }
        let text = lines.joined(separator: " ").split { $0.isWhitespace }.joined(separator: " ")
        let complete = SMTPReply(code: code, text: String(text.prefix(Self.textLimit)))
        lines = []
        reply = complete
        switch stage {
        case .recipient: recipients.append(complete)
        case .data where code == 354: (stage, reply) = (.message, nil)
        case .message: (stage, answer) = (.over, complete)
        default: break
        }
    }
}
