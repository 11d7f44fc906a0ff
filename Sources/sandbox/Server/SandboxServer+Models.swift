import Foundation
import HTTPTypes
import Hummingbird
import JSON
import NIOCore
import ServiceLifecycle

/// Answers of background calls, until they are fetched. Older ones are forgotten.
actor ModelMemory {
    private var requests: [(id: String, request: ModelRequest)] = []
    private var made = 0
    private static let kept = 1_000

    func newID() -> String {
        made += 1
        return "resp_sandbox\(made)"
    }

    func keep(_ request: ModelRequest, as id: String) {
        if requests.count == Self.kept { requests.removeFirst() }
        requests.append((id, request))
    }

    func request(_ id: String) -> ModelRequest? { requests.last { $0.id == id }?.request }
}

extension SandboxServer {
    private static let bodyBytes = 64 << 20

    /// The data plane: what applications call. OpenAI's routes take any key that begins with `sk-` and is no admin key,
    /// Anthropic's one that begins with `sk-ant-`; Azure's paths name a deployment, which is taken for the model's name.
    /// Faults with a `path` meet it as they meet the rest; `slow` holds back each event of a stream, `truncated` and
    /// `cut` end it in the middle.
    /// - Returns: nil for a path that is not of the data plane.
    func respondToModelCall(_ request: Request, _ context: SandboxContext) async throws -> Response? {
        guard let route = ModelRoute(request) else { return nil }
        // Read before anything is refused, or the connection could not be used again.
        let bytes = try await request.body.collect(upTo: Self.bodyBytes)
        let fault = await control.fault(forPath: request.uri.path, now: await clock.now)
        let response: Response
        do throws(ProviderRefusal) {
            let key = try authorize(request, route)
            if let refusal = Self.refusal(of: fault) { throw refusal }
            let body = Array(bytes.readableBytesView)
            try await administration.admit(key, model: Self.model(of: route, body), now: await clock.now)
            response = try await answer(route, body, request, fault, key: key)
        } catch {
            var refused = json(route.isAnthropic ? Self.anthropicError(error) : error.body, error.status)
            refused.headers[.retryAfter] = error.retryAfter.map { String($0) }
            response = refused
        }
        await control.note([
            "time": .integer(await clock.now), "method": .string(request.method.rawValue),
            "path": .string(request.uri.path), "query": .string(request.uri.query ?? ""),
            "status": .integer(response.status.code), "fault": JSONValue(fault?.kind.rawValue),
        ])
        if let fault, [.timeout, .cut].contains(fault.kind) || (fault.kind == .slow && !route.isStream(bytes)) {
            return try await hand(over: response, fault, context)
        }
        return response
    }

    private static func refusal(of fault: Fault?) -> ProviderRefusal? {
        switch fault?.kind {
        case .unauthorized: .wrongKey
        case .forbidden: .missingScope
        case .notFound: .notFound("the model")
        case .tooManyRequests: .tooManyRequests(retryAfter: fault?.retryAfter)
        case .serverError: .serverError
        case .reply:
            .object(fault?.code ?? 500, fault?.text ?? "on demand", type: "invalid_request_error")
        default: nil
        }
    }

    private static func anthropicError(_ refusal: ProviderRefusal) -> JSONValue {
        let type =
            switch refusal.status {
            case 401: "authentication_error"
            case 403: "permission_error"
            case 404: "not_found_error"
            case 429: "rate_limit_error"
            case 500...: "api_error"
            default: "invalid_request_error"
            }
        let message = refusal.body["error"]?["message"] ?? refusal.body["error"] ?? refusal.body["message"] ?? ""
        return ["type": "error", "error": ["type": .string(type), "message": message], "request_id": "req_sandbox"]
    }

    /// As a key's limits count it; empty where the body names none.
    private static func model(of route: ModelRoute, _ body: [UInt8]) -> String {
        // A body that is no JSON is refused where it is read.
        route.deployment ?? (try? JSONValue.parse(body))?["model"]?.string ?? ""
    }

    /// - Returns: the key it was called with.
    private func authorize(_ request: Request, _ route: ModelRoute) throws(ProviderRefusal) -> String {
        let bearer = request.headers[.authorization].flatMap {
            $0.hasPrefix("Bearer ") ? String($0.dropFirst("Bearer ".count)) : nil
        }
        guard let key = request.header("x-api-key") ?? request.header("api-key") ?? bearer else { throw .noKey }
        let prefix = route.isAnthropic ? "sk-ant-" : "sk-"
        guard key.hasPrefix(prefix), key != adminKey else { throw .incorrect(key: String(key.prefix(8)) + "****") }
        return key
    }

    private func answer(
        _ route: ModelRoute, _ bytes: [UInt8], _ request: Request, _ fault: Fault?, key: String
    ) async throws(ProviderRefusal) -> Response {
        switch route {
        case .models(nil): return whole(ModelAnswers.models)
        case .models(let name?): return whole(ModelAnswers.model(name))
        case .storedResponse(let id):
            guard let stored = await models.request(id) else {
                throw .object(
                    404, "Response with id '\(id)' not found.", type: "invalid_request_error")
            }
            return whole(ModelAnswers.response(stored, id: id))
        case .image: return whole(ModelAnswers.image())
        case .transcription: return whole(ModelAnswers.transcription())
        default: break
        }
        let body: JSONValue
        do { body = try JSONValue.parse(bytes) } catch {
            throw .object(400, "We could not parse the JSON body of your request.", type: "invalid_request_error")
        }
        let call = try ModelRequest(route.deployment.map { body.naming(model: $0) } ?? body)
        // Whoever breaks off, or is broken off: what was asked for is charged.
        await calls.add(
            call, route, usage: ModelAnswers.usage(call, route), key: await administration.key(ofValue: key),
            at: await clock.now)
        switch route {
        case .chat:
            return call.isStreamed ? stream(ModelStreams.chat(call), fault) : whole(ModelAnswers.chat(call), fault)
        case .completion:
            return call.isStreamed
                ? stream(ModelStreams.completion(call), fault) : whole(ModelAnswers.completion(call), fault)
        case .response:
            let id = await models.newID()
            await models.keep(call, as: id)
            if call.isStreamed { return stream(ModelStreams.response(call, id: id), fault) }
            let status =
                call.body["background"]?.bool == true
                ? "queued" : call.isCutOff && call.tool == nil ? "incomplete" : "completed"
            return whole(ModelAnswers.response(call, id: id, status: status), fault)
        case .messages:
            return call.isStreamed
                ? stream(ModelStreams.anthropic(call), fault) : whole(ModelAnswers.anthropic(call), fault)
        case .inputTokens:
            return whole(["object": "response.input_tokens", "input_tokens": .integer(call.inputTokens)])
        case .countTokens: return whole(["input_tokens": .integer(call.inputTokens)])
        case .embeddings: return whole(ModelAnswers.embeddings(call), fault)
        case .moderation: return whole(ModelAnswers.moderation(call), fault)
        case .speech:
            return Response(
                status: .ok, headers: [.contentType: "audio/mpeg"],
                body: ResponseBody(byteBuffer: ByteBuffer(repeating: 0, count: 1_024)))
        case .models, .storedResponse, .image, .transcription: throw .notFound(request.uri.path)
        }
    }

    private static let headers: HTTPFields = {
        var headers: HTTPFields = [.contentType: "application/json"]
        for (name, value) in [
            ("x-request-id", "req_sandbox"), ("request-id", "req_sandbox"), ("openai-version", "2020-10-01"),
            ("openai-processing-ms", "7"), ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"), ("x-ratelimit-reset-requests", "6ms"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }()

    private func whole(_ answer: JSONValue, _ fault: Fault? = nil) -> Response {
        let text = ByteBuffer(string: answer.text)
        var body = ResponseBody(byteBuffer: text)
        if fault?.kind == .truncated, let half = text.getSlice(at: 0, length: text.readableBytes / 2) {
            body = ResponseBody(contentLength: text.readableBytes) { writer in
                try await writer.write(half)
                throw Cut()
            }
        }
        return Response(status: .ok, headers: Self.headers, body: body)
    }

    private func stream(_ events: [String], _ fault: Fault?) -> Response {
        var headers = Self.headers
        headers[.contentType] = "text/event-stream; charset=utf-8"
        let pause = fault?.kind == .slow ? fault?.delay : nil
        let isCut = fault?.kind == .truncated
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                for event in isCut ? events.prefix(events.count / 2) : events[...] {
                    try await writer.write(ByteBuffer(string: event))
                    if let pause { try await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) } }
                }
                if isCut { throw Cut() }
                try await writer.finish(nil)
            })
    }

    /// Ends a connection in the middle of an answer.
    private struct Cut: Error {}
}

/// A path of the data plane.
enum ModelRoute {
    case chat(deployment: String?)
    case completion(deployment: String?)
    case embeddings(deployment: String?)
    case response
    case storedResponse(String)
    case inputTokens
    case moderation
    case image
    case transcription
    case speech
    case models(String?)
    case messages
    case countTokens

    init?(_ request: Request) {
        var parts = request.uri.path.split(separator: "/").map(String.init)
        var deployment: String?
        if parts.count > 3, parts[0] == "openai", parts[1] == "deployments" {
            deployment = parts[2]
            parts.removeFirst(3)
        } else {
            if parts.first == "openai" { parts.removeFirst() }
            guard parts.first == "v1" else { return nil }
            parts.removeFirst()
        }
        switch (request.method, parts.joined(separator: "/")) {
        case (.post, "chat/completions"): self = .chat(deployment: deployment)
        case (.post, "completions"): self = .completion(deployment: deployment)
        case (.post, "embeddings"): self = .embeddings(deployment: deployment)
        case (.post, "responses"): self = .response
        case (.post, "responses/input_tokens"): self = .inputTokens
        case (.get, let path) where path.hasPrefix("responses/") && parts.count == 2: self = .storedResponse(parts[1])
        case (.post, "moderations"): self = .moderation
        case (.post, "images/generations"), (.post, "images/edits"), (.post, "images/variations"): self = .image
        case (.post, "audio/transcriptions"), (.post, "audio/translations"): self = .transcription
        case (.post, "audio/speech"): self = .speech
        case (.get, "models"): self = .models(nil)
        case (.get, let path) where path.hasPrefix("models/"): self = .models(parts.dropFirst().joined(separator: "/"))
        case (.post, "messages"): self = .messages
        case (.post, "messages/count_tokens"): self = .countTokens
        default: return nil
        }
    }

    var isAnthropic: Bool {
        switch self {
        case .messages, .countTokens: true
        default: false
        }
    }

    var deployment: String? {
        switch self {
        case .chat(let name), .completion(let name), .embeddings(let name): name
        default: nil
        }
    }

    /// Whether the call asks for a stream, as far as its bytes tell.
    func isStream(_ body: ByteBuffer) -> Bool {
        // Whoever is held back as a whole is held back event by event otherwise: a body that is no JSON is refused anyway.
        (try? JSONValue.parse(Array(body.readableBytesView)))?["stream"]?.bool ?? false
    }
}

extension JSONValue {
    /// The object with this model instead of its own.
    fileprivate func naming(model: String) -> JSONValue {
        .object((members ?? []).filter { $0.name != "model" } + [.init("model", .string(model))])
    }
}
