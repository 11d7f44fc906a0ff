import Digest
import EventLog
import FinOps
package import JSON
package import Notices
package import Transfer

/// Sends a notice as an event to a Sentry-compatible service, which knows a repeat by the event's id.
package struct SentryChannel: NoticeDelivering {
    private let access: SentryAccess
    private let transport: any HTTPTransport
    private let redaction: Redaction
    private let compose: @Sendable (Notice) -> JSONValue

    /// - Parameter compose: the event, without its id.
    package init(
        _ access: SentryAccess, transport: any HTTPTransport, compose: @escaping @Sendable (Notice) -> JSONValue
    ) {
        self.access = access
        self.transport = transport
        self.compose = compose
        redaction = Redaction(access.key)
    }

    package func deliver(_ notice: Notice) async -> DeliveryOutcome {
        let request = HTTPRequest(
            method: "POST", url: access.url, headers: [HTTPHeader("Content-Type", "application/x-sentry-envelope")],
            authorization: .init(
                header: "X-Sentry-Auth", prefix: "Sentry sentry_version=7, sentry_client=finops/1.0, sentry_key=",
                secret: access.key),
            body: envelope(notice))
        do {
            let response = try await transport.send(request)
            let words = redaction(response.body)
            guard response.status == 200 else {
                return .failed(
                    DeliveryFailure(response, host: access.host, words: words, now: notice.at.seconds))
            }
            return .delivered(answer: words)
        } catch { return .failed(DeliveryFailure(error, redaction: redaction)) }
    }

    /// Three lines: what it is about, what the item is, the item.
    private func envelope(_ notice: Notice) -> [UInt8] {
        let id = hexText(SHA256.hash(Array(notice.id.utf8)).prefix(16))
        let members = (compose(notice).members ?? []).filter { $0.name != "event_id" }
        let event = JSONValue.object([JSONValue.Member("event_id", .string(id))] + members).text
        let about: JSONValue = ["event_id": .string(id), "sent_at": .string(notice.at.rfc3339Seconds)]
        let item: JSONValue = ["type": "event", "length": .integer(event.utf8.count)]
        return Array("\(about.text)\n\(item.text)\n\(event)\n".utf8)
    }
}
