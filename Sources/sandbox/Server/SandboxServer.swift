import Foundation
import Hummingbird
import JSON
import NIOCore
import ServiceLifecycle

/// What a request comes with: its connection, too, which a fault may cut.
struct SandboxContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// Answers the provider's paths as the provider would, takes in what is sent to people, and has `/sandbox/…` for whoever
/// drives it.
struct SandboxServer: Sendable {
    let provider: Provider
    let clock: SandboxClock
    let control: Control
    let receivers: Receivers
    let models = ModelMemory()
    let calls = CallBook()
    let administration: Administration
    /// What opens the organisation's APIs; any key beginning with `sk-proj-` opens the legacy one.
    let adminKey: String
    /// Buckets a page has at most, whatever is asked for.
    var mostBuckets = Int.max

    @Sendable func respond(to request: Request, context: SandboxContext) async throws -> Response {
        if request.uri.path.hasPrefix("/sandbox/") { return try await respondToControl(request) }
        if let response = try await respondToSender(request, context) { return response }
        if let response = try await respondToModelCall(request, context) { return response }
        if let response = try await respondToAdministration(request, context) { return response }
        let now = await clock.now
        let fault = await control.fault(forPath: request.uri.path, now: now)
        var provider = provider
        provider.called = await calls.entries
        let answer: ProviderAnswer
        do throws(ProviderRefusal) {
            answer = try self.answer(to: request, of: provider, now: now, fault: fault)
        } catch {
            answer = error.answer
        }
        await control.note([
            "time": .integer(now), "method": .string(request.method.rawValue), "path": .string(request.uri.path),
            "query": .string(request.uri.query ?? ""), "status": .integer(answer.status),
            "fault": JSONValue(fault?.kind.rawValue),
        ])
        return try await deliver(answer, fault: fault)
    }

    /// Faults are met before the key is looked at, as an edge in front of a provider would.
    private func answer(
        to request: Request, of provider: Provider, now: Int64, fault: Fault?
    ) throws(ProviderRefusal) -> ProviderAnswer {
        switch fault?.kind {
        case .unauthorized: throw .wrongKey
        case .echo: throw .incorrect(key: request.headers[.authorization] ?? "none")
        case .forbidden: throw .missingScope
        case .notFound: throw .notFound(request.uri.path)
        case .tooManyRequests: throw .tooManyRequests(retryAfter: fault?.retryAfter)
        case .serverError: throw .serverError
        case .reply:
            return ProviderAnswer(html: fault?.text ?? "", status: fault?.code ?? 500)
        case .html: return ProviderAnswer(html: "<html><body><h1>502 Bad Gateway</h1></body></html>", status: 502)
        default: break
        }
        guard request.method == .get else { throw .notFound("\(request.method) \(request.uri.path)") }
        try authorize(request)
        let parameters = request.uri.queryParameters.map {
            (name: $0.key.removingPercentEncoding ?? String($0.key), value: String($0.value))
        }
        return try route(request.uri.path, parameters, provider, now: now, twist: fault?.kind.twist)
    }

    func authorize(_ request: Request) throws(ProviderRefusal) {
        guard let header = request.headers[.authorization], header.hasPrefix("Bearer ") else { throw .noKey }
        let key = header.dropFirst("Bearer ".count)
        if key == adminKey { return }
        guard key.hasPrefix("sk-proj-") else { throw .wrongKey }
        if request.uri.path != "/v1/usage" { throw .missingScope }
    }

    private func route(
        _ path: String, _ parameters: [(name: String, value: String)], _ provider: Provider, now: Int64,
        twist: Provider.Twist?
    ) throws(ProviderRefusal) -> ProviderAnswer {
        func last(_ name: String) -> String? { parameters.last { $0.name == name }?.value }
        let parts = path.split(separator: "/").map(String.init)
        switch (parts.count, parts.first, parts.dropFirst().joined(separator: "/")) {
        case (2, "v1", "usage"):
            guard let day = last("date").flatMap({ CivilDay($0) }) else {
                throw .badParameter("date", "Missing or malformed query parameter 'date'.")
            }
            return provider.legacyUsage(of: day, now: now)
        case (3, "v1", "organization/costs"):
            let query = try PageQuery(path: path, parameters: parameters, rules: .costs, now: now, most: mostBuckets)
            return provider.costs(query, now: now, twist: twist)
        case (4, "v1", let rest) where rest.hasPrefix("organization/usage/"):
            guard let kind = UsageKind(rawValue: parts[3]) else { throw .notFound(path) }
            let query = try PageQuery(
                path: path, parameters: parameters, rules: .usage(kind), now: now, most: mostBuckets)
            return provider.usage(kind, query, now: now, twist: twist)
        default: throw .notFound(path)
        }
    }

    func deliver(_ answer: ProviderAnswer, fault: Fault?) async throws -> Response {
        if let delay = fault?.delay {
            // Whoever stops the sandbox does not wait for the answer either.
            try await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
        }
        var headers: HTTPFields = [.contentType: answer.contentType]
        headers[.retryAfter] = answer.retryAfter.map { String($0) }
        let whole = ByteBuffer(string: answer.body)
        var body = ResponseBody(byteBuffer: whole)
        if fault?.kind == .truncated, let half = whole.getSlice(at: 0, length: whole.readableBytes / 2) {
            body = ResponseBody(contentLength: whole.readableBytes) { writer in
                try await writer.write(half)
                throw Cut()
            }
        }
        return Response(status: .init(code: answer.status), headers: headers, body: body)
    }

    /// Ends a connection in the middle of an answer.
    private struct Cut: Error {}
}
