import FinOps
import Notices
import Transfer

extension DeliveryFailure {
    /// No answer came.
    init(_ failure: TransferFailure, redaction: Redaction) {
        let (code, isRetriable): (String, Bool) =
            switch failure.kind {
            case .timedOut: ("timed-out", true)
            case .invalidRequest: ("misconfigured", false)
            case .tooLarge: ("unavailable", true)
            // A certificate is renewed without our doing: what was given up at once would be lost.
            case .tlsFailed, .cannotResolve, .cannotConnect, .truncated, .cancelled, .other: ("unreachable", true)
            }
        self.init(
            code: code, message: redaction(failure.message), isUncertain: failure.requestWasSent,
            isRetriable: isRetriable)
    }

    /// An answer of which nothing but the status is understood.
    /// - Parameter words: what it says, fit for an event.
    init(_ response: HTTPResponse, host: String, words: String, now: Int64) {
        let (code, isRetriable): (String, Bool) =
            switch response.status {
            case 429: ("throttled", true)
            case 408, 425: ("unavailable", true)
            case 500...: ("unavailable", true)
            case 401, 403: ("not-authorised", false)
            case 300..<400, 404, 410: ("misconfigured", false)
            // A success that is not the service's own word for it: somebody else answered.
            case ..<300: ("unavailable", true)
            default: ("refused", false)
            }
        self.init(
            code: code, message: "\(host) answered \(response.status)" + (words.isEmpty ? "" : ": \(words)"),
            // A gateway speaks for a server that it did not hear.
            isUncertain: [502, 504].contains(response.status) || response.status < 300, isRetriable: isRetriable,
            retryAfterSeconds: RetryAfter.seconds(in: response, now: now).map { Int64($0.rounded(.up)) })
    }
}
