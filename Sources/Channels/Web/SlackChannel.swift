import EventLog
import FinOps
package import JSON
package import Notices
package import Transfer

/// Posts a notice to a Slack webhook. Slack knows no repeats: what was sent and not answered may be there.
package struct SlackChannel: NoticeDelivering {
    private let access: SlackAccess
    private let transport: any HTTPTransport
    private let redaction: Redaction
    private let compose: @Sendable (Notice) -> (body: JSONValue, fallback: JSONValue)

    /// - Parameter compose: the whole body of the webhook, and one in plain text for a Slack that refuses the first.
    package init(
        _ access: SlackAccess, transport: any HTTPTransport,
        compose: @escaping @Sendable (Notice) -> (body: JSONValue, fallback: JSONValue)
    ) {
        self.access = access
        self.transport = transport
        self.compose = compose
        redaction = Redaction(access.path)
    }

    package func deliver(_ notice: Notice) async -> DeliveryOutcome {
        let (body, fallback) = compose(notice)
        switch await post(body, at: notice.at.seconds) {
        case .accepted: return .delivered(answer: "ok")
        case .failed(let failure): return .failed(failure)
        case .notUnderstood(let word):
            // A mistake of ours must not keep the alert from anybody.
            switch await post(fallback, at: notice.at.seconds) {
            case .accepted: return .delivered(answer: "ok, in plain text: with blocks it is \(word)")
            case .failed(let failure): return .failed(failure)
            case .notUnderstood(let word): return .failed(refusal(word, code: "refused"))
            }
        }
    }

    private enum Answer {
        case accepted
        case notUnderstood(word: String)
        case failed(DeliveryFailure)
    }

    private func post(_ body: JSONValue, at now: Int64) async -> Answer {
        let request = HTTPRequest(
            method: "POST", url: access.origin, secretPath: access.path,
            headers: [HTTPHeader("Content-Type", "application/json; charset=utf-8")], body: Array(body.text.utf8))
        do { return answer(try await transport.send(request), at: now) } catch {
            return .failed(DeliveryFailure(error, redaction: redaction))
        }
    }

    /// By its text first: the status for one varies.
    private func answer(_ response: HTTPResponse, at now: Int64) -> Answer {
        switch redaction(response.body) {
        case "ok" where response.status == 200: return .accepted
        case let word where Self.mistakes.contains(word): return .notUnderstood(word: word)
        case let word where Self.barred.contains(word): return .failed(refusal(word, code: "not-authorised"))
        case let word where Self.gone.contains(word): return .failed(refusal(word, code: "misconfigured"))
        case let words: return .failed(DeliveryFailure(response, host: access.host, words: words, now: now))
        }
    }

    private func refusal(_ word: String, code: String) -> DeliveryFailure {
        DeliveryFailure(code: code, message: "\(access.host) answered \(word)", isRetriable: false)
    }

    private static let mistakes: Set = ["invalid_payload", "no_text", "invalid_blocks", "too_many_attachments"]
    private static let barred: Set = [
        "action_prohibited", "posting_to_general_channel_denied", "invalid_token", "team_disabled",
    ]
    private static let gone: Set = [
        "user_not_found", "channel_not_found", "channel_is_archived", "no_service", "no_service_id", "no_active_hooks",
        "no_team",
    ]
}
