import Foundation
import Hummingbird
import JSON
import ServiceLifecycle

/// What takes messages in, as the services behind them would.
struct Receivers: Sendable {
    let inbox: Inbox
    let resend = ResendEndpoint()
    /// nil: a webhook takes any number of messages a second.
    let pace: PaceKeeper?

    actor PaceKeeper {
        private var pace = SlackPace()
        func admit(_ webhook: String) -> Int? { pace.admit(webhook, at: .now) }
    }
}

extension SandboxServer {
    private static let messageBytes = 10 << 20

    /// - `POST /slack/T…/B…/…`: an incoming webhook of Slack.
    /// - `POST /resend/emails`: Resend's API, with `/resend` as its base.
    /// - `POST /api/<number>/envelope/`: an endpoint of Sentry.
    /// - `GET /inbox`: what arrived, as a page for people.
    /// - Returns: nil for a path of the provider.
    func respondToSender(_ request: Request, _ context: SandboxContext) async throws -> Response? {
        let parts = request.uri.path.split(separator: "/").map(String.init)
        switch (parts.first, parts.count) {
        case ("inbox", 1): return Self.html(await InboxPage(of: receivers.inbox).html)
        case ("slack", _): return try await takeSlack(request, parts.dropFirst(), context)
        case ("resend", 2) where parts[1] == "emails": return try await takeResend(request, context)
        case ("api", 3) where parts[2] == "envelope": return try await takeSentry(request, context)
        default: return nil
        }
    }

    private func takeSlack(
        _ request: Request, _ webhook: ArraySlice<String>, _ context: SandboxContext
    ) async throws -> Response {
        guard request.method == .post else { return Self.text("method_not_allowed", 405) }
        guard webhook.count == 3, webhook.first?.first == "T", webhook.dropFirst().first?.first == "B" else {
            return Self.text("no_service", 404)
        }
        let body = try await bytes(of: request)
        let fault = await control.fault(forReceiver: request.uri.path)
        var verdict = fault.flatMap { SlackVerdict($0) } ?? SlackVerdict(on: body)
        if fault == nil, verdict == .ok, let wait = await receivers.pace?.admit(webhook.joined(separator: "/")) {
            verdict = .tooMany(retryAfter: wait)
        }
        let isKept = fault.map { $0.keepsMessage && SlackVerdict(on: body) == .ok } ?? (verdict == .ok)
        // What cannot be parsed is shown as the text it is.
        let message = (try? JSONValue.parse(body)) ?? .string(String(decoding: body, as: UTF8.self))
        let arrival = Inbox.Arrival(
            isKept: isKept,
            members: [
                .init("webhook", .string(webhook.prefix(2).joined(separator: "/"))),
                .init("status", .integer(verdict.status)), .init("answer", .string(verdict.answer)),
                .init("problem", JSONValue(verdict.problem)), .init("fault", JSONValue(fault?.kind.rawValue)),
                .init("text", message["text"] ?? .null), .init("blocks", message["blocks"] ?? .null),
                .init("message", message),
            ])
        await receivers.inbox.take(arrival, at: .slack)
        var response = Self.text(verdict.answer, verdict.status)
        response.headers[.retryAfter] = verdict.retryAfter.map { String($0) }
        return try await hand(over: response, fault, context)
    }

    private func takeResend(_ request: Request, _ context: SandboxContext) async throws -> Response {
        guard request.method == .post else {
            return json(["statusCode": 405, "name": "method_not_allowed", "message": "Only POST"], 405)
        }
        let body = try await bytes(of: request)
        let fault = await control.fault(forReceiver: request.uri.path)
        if let fault, !fault.keepsMessage {
            let status = fault.code ?? (fault.kind == .tooManyRequests ? 429 : 500)
            let name = fault.text ?? (status == 429 ? "rate_limit_exceeded" : "internal_server_error")
            var response = json(
                ["statusCode": .integer(status), "name": .string(name), "message": "On demand"], status)
            response.headers[.retryAfter] = fault.retryAfter.map { String($0) }
            return try await hand(over: response, fault, context)
        }
        let answer = await receivers.resend.answer(
            to: body, authorization: request.headers[.authorization], userAgent: request.headers[.userAgent],
            idempotencyKey: request.header("idempotency-key"))
        if let mail = answer.mail {
            await receivers.inbox.take(.init(resend: mail, answer: answer.body.text), at: .mail)
        }
        return try await hand(over: json(answer.body, answer.status), fault, context)
    }

    private func takeSentry(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let body = try await bytes(of: request)
        let fault = await control.fault(forReceiver: request.uri.path)
        let isAuthorised =
            request.header("x-sentry-auth")?.contains("sentry_key=") == true
            || request.uri.queryParameters["sentry_key"] != nil
        let lines = body.split(separator: UInt8(ascii: "\n")).map {
            // A line of an envelope that is no JSON is an attachment's.
            (try? JSONValue.parse(Array($0))) ?? .string(String(decoding: $0, as: UTF8.self))
        }
        let verdict = fault.flatMap { SlackVerdict($0) }
        let isKept = isAuthorised && (fault?.keepsMessage ?? true)
        await receivers.inbox.take(.init(isKept: isKept, members: [.init("envelope", .array(lines))]), at: .sentry)
        guard isAuthorised else { return json(["detail": "missing authorization information"], 403) }
        var response = json(["id": lines.first?["event_id"] ?? .null], verdict?.status ?? 200)
        response.headers[.retryAfter] = verdict?.retryAfter.map { String($0) }
        return try await hand(over: response, fault, context)
    }

    /// Answers, later or never if a fault says so.
    func hand(over response: Response, _ fault: Fault?, _ context: SandboxContext) async throws -> Response {
        if fault?.kind == .cut {
            // The connection may be gone already: then it is as cut as it can be.
            try? await context.channel.close()
        }
        if let delay = fault?.delay { try await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) } }
        return response
    }

    private func bytes(of request: Request) async throws -> [UInt8] {
        Array(try await request.body.collect(upTo: Self.messageBytes).readableBytesView)
    }

    private static func text(_ text: String, _ status: Int) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static func html(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

extension Request {
    /// - Parameter name: in small letters.
    func header(_ name: String) -> String? { headers.first { $0.name.canonicalName == name }?.value }
}

extension Inbox.Arrival {
    /// A mail as Resend takes it.
    init(resend mail: JSONValue, answer: String) {
        self.init(
            isKept: true,
            members: [
                .init("via", "resend"), .init("answer", .string(answer)), .init("from", mail["from"] ?? .null),
                .init("to", .array(ResendEndpoint.recipients(of: mail))), .init("subject", mail["subject"] ?? .null),
                .init("message_id", mail["headers"]?["Message-ID"] ?? .null),
                .init("headers", mail["headers"] ?? .null), .init("text", mail["text"] ?? .null),
                .init("html", mail["html"] ?? .null), .init("raw", .string(mail.text)),
            ])
    }
}
