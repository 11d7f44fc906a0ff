import JSON

/// What Slack says to a message for an incoming webhook.
struct SlackVerdict: Equatable {
    var status: Int
    var answer: String
    /// What Slack does not tell: which rule was broken.
    var problem: String?
    var retryAfter: Int?

    static let ok = SlackVerdict(status: 200, answer: "ok")

    static func refused(_ answer: String, _ problem: String, status: Int = 400) -> SlackVerdict {
        SlackVerdict(status: status, answer: answer, problem: problem)
    }

    /// Stricter than Slack in one thing: a message of blocks alone is taken there, but shows nothing in notifications.
    init(on body: [UInt8]) {
        self = Self.verdict(on: body)
    }

    private init(status: Int, answer: String, problem: String? = nil, retryAfter: Int? = nil) {
        (self.status, self.answer, self.problem, self.retryAfter) = (status, answer, problem, retryAfter)
    }

    private static func verdict(on body: [UInt8]) -> SlackVerdict {
        let message: JSONValue
        do { message = try JSONValue.parse(body) } catch { return .refused("invalid_payload", "\(error)") }
        guard message.members != nil else { return .refused("invalid_payload", "no object") }
        guard let text = message["text"]?.string, !text.isEmpty else { return .refused("no_text", "text is missing") }
        guard text.unicodeScalars.count <= 40_000 else {
            return .refused("msg_too_long", "text has more than 40000 characters")
        }
        guard message["attachments"]?.array?.count ?? 0 <= 100 else {
            return .refused("too_many_attachments", "more than 100 attachments")
        }
        do throws(BlockKit.Problem) {
            if let blocks = message["blocks"] { try BlockKit.check(blocks) }
        } catch {
            return .refused("invalid_blocks", error.text)
        }
        return .ok
    }

    /// What a fault makes of it; nil where it only concerns the connection.
    init?(_ fault: Fault) {
        switch fault.kind {
        case .tooManyRequests: self = .tooMany(retryAfter: fault.retryAfter ?? 1)
        case .serverError: self = .refused("rollback_error", "on demand", status: 500)
        case .reply: self = .refused(fault.text ?? "on_demand", "on demand", status: fault.code ?? 400)
        default: return nil
        }
    }

    static func tooMany(retryAfter: Int) -> SlackVerdict {
        SlackVerdict(status: 429, answer: "rate_limited", problem: "too many", retryAfter: retryAfter)
    }
}

/// Slack's pace: one message a second for each webhook, with a little in hand for a burst.
struct SlackPace {
    static let burst = 3.0
    private var tokens: [String: (count: Double, at: ContinuousClock.Instant)] = [:]

    /// - Returns: nil if a message may come now, else the whole seconds to wait.
    mutating func admit(_ webhook: String, at now: ContinuousClock.Instant) -> Int? {
        let known = tokens[webhook] ?? (Self.burst, now)
        let count = min(Self.burst, known.count + (now - known.at) / .seconds(1))
        guard count >= 1 else {
            tokens[webhook] = (count, now)
            return 1
        }
        tokens[webhook] = (count - 1, now)
        return nil
    }
}
