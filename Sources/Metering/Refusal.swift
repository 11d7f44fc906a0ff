import JSON

/// Why the gateway answers a call itself, and what the caller is told.
package enum Refusal: Hashable, Sendable {
    /// 400: the body cannot be metered, or servers would read it differently.
    case malformed(MalformedRequest)
    /// 401: no header holds a key.
    case noKey
    /// 401: nobody was ever given this key, or it was replaced.
    case unknownKey
    /// 401, with the key's prefix, the day it expired and whom to ask.
    case expiredKey(prefix: String, project: String, day: String, contact: String)
    /// 403, with what was given as the reason and whom to ask.
    case disabledKey(prefix: String, project: String, reason: String, contact: String)
    /// 403: the key is for other models.
    case modelNotAllowed(model: String, project: String, contact: String)
    /// 403: the key is for other routes.
    case routeNotAllowed(route: String, project: String, contact: String)
    /// 401: whose call it is would be up to who reads it.
    case severalKeys
    /// 404: there is no upstream that serves it to this project.
    case modelNotServed(model: String, project: String, contact: String)
    /// 404: it has no meter.
    case unknownRoute
    /// 429. `limit` as in `5.00 USD a day`, `resets` an instant with its zone. Not to be repeated if it `isSpent`; else what
    /// is left of it is set aside for calls under way, and may be free again in a moment, or for calls that a kill of the
    /// gateway cut short, for so many seconds.
    case limitReached(project: String, limit: String, LimitUse, resets: String, contact: String)
    /// 429, to be repeated after that many seconds; so many gateways share the limit.
    case rateLimited(Rate, limit: Int64, gateways: Int, project: String, retryAfter: Int64, contact: String)
    /// 413; the limit is in bytes.
    case tooLarge(limit: Int)
    /// 502: the upstream's name.
    case unreachable(upstream: String)
    /// 504: the upstream's name.
    case timedOut(upstream: String)
    /// 503: as much is held as may be; seconds.
    case busy(retryAfter: Int64)
    /// 503: what is used cannot be recorded now, and the policy is to refuse then.
    case notRecordable(retryAfter: Int64)
    /// 503: a part of a limit has to be asked of the log, which does not answer.
    case limitUnknown(retryAfter: Int64)
    /// 503: the gateway has not heard from the log for longer than its grace.
    case outOfDate(retryAfter: Int64)
    /// 503: the secret that keys are known by cannot be opened at present.
    case vaultClosed(retryAfter: Int64)
    /// What is wrong with the request as HTTP: the status, a word for it and a sentence.
    case unreadable(status: Int, code: String, sentence: String)

    /// Why a limit has no room.
    package enum LimitUse: Hashable, Sendable {
        case spent
        case underWay
        case cutShort(seconds: Int64)
    }

    /// What is counted per minute.
    package enum Rate: String, Hashable, Sendable { case requests, tokens }
}

/// An answer of the gateway itself.
package struct RefusalAnswer: Hashable, Sendable {
    package let status: Int
    /// `Content-Type` among them; the length is the server's business.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package static func == (left: Self, right: Self) -> Bool {
        left.status == right.status && left.body == right.body
            && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(status)
        hasher.combine(body)
    }
}

extension Refusal {
    /// The words of one kind of refusal in the two dialects.
    private struct Terms {
        let status: Int
        /// OpenAI's `type` and `code`.
        let type: String
        let code: String?
        /// Anthropic's `error.type`.
        let anthropic: String
        let message: String
        var member: String?
    }

    /// The answer in the shape that the dialect's own clients understand.
    /// - Parameter request: an id that the gateway's own log has too.
    package func answer(in dialect: Dialect, request: String) -> RefusalAnswer {
        let terms = terms
        var headers = [(name: "content-type", value: "application/json")]
        let error: JSONValue
        switch dialect {
        case .openai:
            headers.append(("x-request-id", request))
            error = .object([
                .init(
                    "error",
                    .object([
                        .init("message", .string(terms.message)), .init("type", .string(terms.type)),
                        .init("param", JSONValue(terms.member)), .init("code", JSONValue(terms.code)),
                    ]))
            ])
        case .anthropic:
            headers.append(("request-id", request))
            var inner: [JSONValue.Member] = [
                .init("type", .string(terms.anthropic)), .init("message", .string(terms.message)),
            ]
            if case .limitReached(_, _, .spent, _, _) = self {
                inner.append(.init("details", .object([.init("error_code", "enforced_spend_limit_reached")])))
            }
            error = .object([
                .init("type", "error"), .init("error", .object(inner)), .init("request_id", .string(request)),
            ])
        }
        if let seconds = retryAfter {
            headers.append(("retry-after", String(seconds)))
        } else {
            headers.append(("x-should-retry", "false"))
        }
        return RefusalAnswer(status: terms.status, headers: headers, body: Array(error.text.utf8))
    }

    /// The HTTP status.
    package var status: Int { terms.status }

    /// Seconds; nil where repeating the same call is of no use now.
    private var retryAfter: Int64? {
        switch self {
        case .rateLimited(_, _, _, _, let seconds, _), .busy(let seconds), .notRecordable(let seconds),
            .limitUnknown(let seconds), .outOfDate(let seconds), .vaultClosed(let seconds):
            max(1, seconds)
        case .limitReached(_, _, .underWay, _, _): 1
        case .limitReached(_, _, .cutShort(let seconds), _, _): max(1, seconds)
        case .unreachable, .timedOut: 1
        default: nil
        }
    }

    private var terms: Terms {
        switch self {
        case .malformed, .unknownRoute, .tooLarge, .unreadable: requestTerms
        case .noKey, .severalKeys, .unknownKey, .expiredKey, .disabledKey, .modelNotAllowed, .routeNotAllowed,
            .modelNotServed:
            keyTerms
        case .limitReached, .rateLimited: limitTerms
        case .unreachable, .timedOut, .busy, .notRecordable, .limitUnknown, .outOfDate, .vaultClosed: serverTerms
        }
    }

    private var requestTerms: Terms {
        switch self {
        case .malformed(let fault):
            Terms(
                status: 400, type: "invalid_request_error", code: nil, anthropic: "invalid_request_error",
                message: fault.reason, member: fault.member)
        case .tooLarge(let limit):
            Terms(
                status: 413, type: "invalid_request_error", code: "request_too_large", anthropic: "request_too_large",
                message: "The request's body is larger than the \(limit) bytes that this gateway takes.")
        case .unreadable(let status, let code, let sentence):
            Terms(
                status: status, type: "invalid_request_error", code: code, anthropic: "invalid_request_error",
                message: sentence)
        default:
            Terms(
                status: 404, type: "invalid_request_error", code: "unknown_route", anthropic: "not_found_error",
                message: "This gateway has no such route. It serves: \(Self.routes).")
        }
    }

    private static let routes: String = {
        var seen: Set<String> = []
        let names = Route.all.map { "\($0.method) \($0.name)" }.filter { seen.insert($0).inserted }
        return names.joined(separator: ", ")
    }()

    private var keyTerms: Terms {
        func unauthorized(_ message: String) -> Terms {
            Terms(
                status: 401, type: "invalid_request_error", code: "invalid_api_key", anthropic: "authentication_error",
                message: message)
        }
        func forbidden(_ type: String, _ code: String, _ message: String) -> Terms {
            Terms(status: 403, type: type, code: code, anthropic: "permission_error", message: message)
        }
        switch self {
        case .noKey:
            return unauthorized(
                "You didn't provide an API key. Send the gateway's key (fo-…) as \"Authorization: Bearer KEY\", "
                    + "\"x-api-key: KEY\" or \"api-key: KEY\".")
        case .severalKeys:
            return unauthorized("The request shows several API keys that differ. Send the gateway's key alone, once.")
        case .expiredKey(let prefix, let project, let day, let contact):
            return unauthorized(
                "The API key \(prefix)… of project \(project) expired at the end of \(day). Ask \(contact) for a new one."
            )
        case .disabledKey(let prefix, let project, let reason, let contact):
            return forbidden(
                "permission_denied", "permission_denied",
                "The API key \(prefix)… of project \(project) is disabled: \(reason). Ask \(contact).")
        case .modelNotAllowed(let model, let project, let contact):
            return forbidden(
                "invalid_request_error", "model_not_found",
                "This key of project `\(project)` does not have access to model `\(model)`. Ask \(contact).")
        case .routeNotAllowed(let route, let project, let contact):
            return forbidden(
                "permission_denied", "permission_denied",
                "This key of project \(project) is not for \(route). Ask \(contact).")
        case .modelNotServed(let model, let project, let contact):
            return Terms(
                status: 404, type: "invalid_request_error", code: "model_not_found", anthropic: "not_found_error",
                message:
                    "No upstream of this gateway serves the model `\(model)` to project \(project). Ask \(contact).")
        default: return unauthorized("Incorrect API key provided. The gateway does not know it, or it was replaced.")
        }
    }

    private var limitTerms: Terms {
        switch self {
        case .rateLimited(let rate, let limit, let gateways, let project, let seconds, let contact):
            Terms(
                status: 429, type: rate.rawValue, code: "rate_limit_exceeded", anthropic: "rate_limit_error",
                message: "Rate limit reached for this key of project \(project): \(limit) \(rate.rawValue) per minute"
                    + (gateways > 1 ? ", an equal part at each of \(gateways) gateways. " : ". ")
                    + "Please try again in \(max(1, seconds))s, or ask \(contact) for a higher limit.")
        case .limitReached(let project, let limit, let use, let resets, let contact):
            Terms(
                status: 429, type: "insufficient_quota", code: "insufficient_quota", anthropic: "rate_limit_error",
                message: use.sentence(project: project, limit: limit) + " It resets at \(resets). Ask \(contact).")
        default: serverTerms
        }
    }

    private var serverTerms: Terms {
        func broken(_ status: Int, _ code: String, _ anthropic: String, _ message: String) -> Terms {
            Terms(status: status, type: "server_error", code: code, anthropic: anthropic, message: message)
        }
        switch self {
        case .unreachable(let upstream):
            return broken(502, "upstream_unreachable", "api_error", "The upstream \(upstream) cannot be reached.")
        case .timedOut(let upstream):
            return broken(504, "upstream_timeout", "timeout_error", "The upstream \(upstream) did not answer in time.")
        case .notRecordable:
            return broken(
                503, "usage_not_recordable", "overloaded_error",
                "What calls use cannot be recorded now, so that none is let through.")
        case .limitUnknown:
            return broken(
                503, "gateway_limit_unknown", "overloaded_error",
                "The event log does not answer, and it alone knows what is left of a limit that this call counts towards."
            )
        case .outOfDate:
            return broken(
                503, "gateway_out_of_date", "overloaded_error",
                "The gateway has not heard of keys and limits for too long, so that no call is let through.")
        case .vaultClosed:
            return broken(
                503, "gateway_vault_closed", "overloaded_error",
                "The gateway cannot open the secret that keys are known by, so that no call is let through.")
        default:
            return broken(
                503, "gateway_busy", "overloaded_error",
                "The gateway cannot take this request now: it holds as many as it may, or waits to hear of a limit or a key."
            )
        }
    }
}

extension Refusal.LimitUse {
    fileprivate func sentence(project: String, limit: String) -> String {
        let rest = "What is left of project \(project)'s limit of \(limit) is set aside for calls"
        return switch self {
        case .spent: "Project \(project) has reached its limit of \(limit)."
        case .underWay: "\(rest) under way. Please try again in 1s."
        case .cutShort(let seconds):
            "\(rest) that an end of the gateway cut short. Please try again in \(max(1, seconds))s."
        }
    }
}
