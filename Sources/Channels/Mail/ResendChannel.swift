import Digest
import EventLog
import FinOps
import JSON
package import Notices
package import Transfer

/// Sends a notice as mail through Resend, which takes the same message once however often it is sent within a day. So
/// a repeat does not say that it is one, unless the message has changed since.
package struct ResendChannel: NoticeDelivering {
    private let access: ResendAccess
    private let recipients: [MailAddress]
    private let transport: any HTTPTransport
    private let redaction: Redaction
    private let compose: @Sendable (Notice) -> MailWording

    /// - Parameter recipients: who reads the destination's language; at least one, at most `MailRecipient.limit`.
    package init(
        _ access: ResendAccess, to recipients: [MailAddress], transport: any HTTPTransport,
        compose: @escaping @Sendable (Notice) -> MailWording
    ) {
        self.access = access
        self.recipients = recipients
        self.transport = transport
        self.compose = compose
        redaction = Redaction(access.key)
    }

    package func deliver(_ notice: Notice) async -> DeliveryOutcome {
        let key = "\(notice.id)-\(notice.destination)"
        let outcome = await post(body(stable(notice)), key: key, at: notice.at.seconds)
        guard case .changed = outcome else { return outcome.delivery }
        // An earlier attempt was taken with another content, or not taken at all: it does not say which.
        var repeated = notice
        repeated.mayRepeat = true
        let changed = body(repeated)
        let digest = hexText(SHA256.hash(changed).prefix(8))
        return await post(changed, key: "\(key)-\(digest)", at: notice.at.seconds).delivery
    }

    /// What differs from attempt to attempt is left out, so that Resend knows a repeat.
    private func stable(_ notice: Notice) -> Notice {
        var stable = notice
        stable.mayRepeat = false
        stable.at = notice.facts.map(\.recorded).max() ?? notice.at
        return stable
    }

    private func body(_ notice: Notice) -> [UInt8] {
        let wording = compose(notice)
        var headers = [JSONValue.Member("Auto-Submitted", "auto-generated")]
        if let root = MailThread(notice, domain: access.from.domain).root {
            headers.append(JSONValue.Member("References", .string(root)))
        }
        let body: JSONValue = [
            "from": .string(access.from.display), "to": .array(recipients.map { .string($0.display) }),
            "subject": .string(wording.subject), "html": .string(wording.html), "text": .string(wording.text),
            "headers": .object(headers),
        ]
        return Array(body.text.utf8)
    }

    private enum Answer {
        case taken(id: String)
        case changed
        case failed(DeliveryFailure)

        var delivery: DeliveryOutcome {
            switch self {
            case .taken(let id): .delivered(answer: id)
            case .failed(let failure): .failed(failure)
            case .changed:
                .failed(
                    DeliveryFailure(
                        code: "refused", message: "Resend takes the message for another one with the same key",
                        isUncertain: true, isRetriable: true))
            }
        }
    }

    private func post(_ body: [UInt8], key: String, at now: Int64) async -> Answer {
        let request = HTTPRequest(
            method: "POST", url: access.url,
            headers: [HTTPHeader("Content-Type", "application/json"), HTTPHeader("Idempotency-Key", key)],
            authorization: .init(secret: access.key), body: body)
        do { return answer(try await transport.send(request), at: now) } catch {
            return .failed(DeliveryFailure(error, redaction: redaction))
        }
    }

    private func answer(_ response: HTTPResponse, at now: Int64) -> Answer {
        // What is no JSON is not Resend's own answer, and is judged by its status.
        let json = try? JSONValue.parse(response.body)
        if response.status == 200, let id = json?["id"]?.string { return .taken(id: redaction(id)) }
        let name = json?["name"]?.string ?? ""
        if name == "invalid_idempotent_request" { return .changed }
        let words = json?["message"]?.string.map { "\(name): \($0)" } ?? String(decoding: response.body, as: UTF8.self)
        var failure = DeliveryFailure(response, host: access.host, words: redaction(words), now: now)
        switch name {
        case "concurrent_idempotent_requests": (failure.code, failure.isRetriable) = ("unavailable", true)
        case "daily_quota_exceeded", "monthly_quota_exceeded":
            failure.retryAfterSeconds = max(failure.retryAfterSeconds ?? 0, Self.quotaPause)
        default: break
        }
        return .failed(failure)
    }

    /// Seconds after which a used-up quota is tried again.
    private static let quotaPause: Int64 = 3_600
}
