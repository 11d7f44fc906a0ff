import Foundation
import Hummingbird
import JSON
import NIOCore

extension SandboxServer {
    private static let bodyBytes = 1 << 20

    /// `/v1/organization/projects…`, with the admin key. Faults with a `path` meet it as they meet the rest. Of a change that
    /// meets one, `timeout`, `slow`, `cut` and `truncated` take the answer alone: it is made; `kept=1` and `kept=0` say
    /// otherwise.
    /// - Returns: nil for any other path.
    func respondToAdministration(_ request: Request, _ context: SandboxContext) async throws -> Response? {
        let parts = request.uri.path.split(separator: "/").map { $0.removingPercentEncoding ?? String($0) }
        guard parts.prefix(3) == ["v1", "organization", "projects"] else { return nil }
        // Read before anything is refused, or the connection could not be used again.
        let bytes = Array(try await request.body.collect(upTo: Self.bodyBytes).readableBytesView)
        let now = await clock.now
        let fault = await control.fault(forPath: request.uri.path, now: now)
        let isMade = fault.map { $0.keepsMessage || ($0.kind == .truncated && $0.kept != false) } ?? true
        var answer: ProviderAnswer
        do throws(ProviderRefusal) {
            let refusal = self.refusal(of: fault, request)
            if let refusal, !isMade { throw refusal }
            answer = try await changed(request, Array(parts.dropFirst(3)), bytes, now, isMade: isMade)
            if let refusal { throw refusal }
        } catch {
            answer = error.answer
        }
        if fault?.kind == .html { answer = ProviderAnswer(html: "<html><h1>502 Bad Gateway</h1></html>", status: 502) }
        if fault?.kind == .reply { answer = ProviderAnswer(html: fault?.text ?? "", status: fault?.code ?? 500) }
        await control.note([
            "time": .integer(now), "method": .string(request.method.rawValue), "path": .string(request.uri.path),
            "query": .string(request.uri.query ?? ""), "status": .integer(answer.status),
            "fault": JSONValue(fault?.kind.rawValue), "body": .string(String(decoding: bytes, as: UTF8.self)),
        ])
        let response = try await deliver(answer, fault: fault)
        return fault?.kind == .cut ? try await hand(over: response, fault, context) : response
    }

    private func changed(
        _ request: Request, _ parts: [String], _ bytes: [UInt8], _ now: Int64, isMade: Bool
    ) async throws(ProviderRefusal) -> ProviderAnswer {
        try authorize(request)
        var body = JSONValue.null
        if !bytes.isEmpty {
            do { body = try JSONValue.parse(bytes) } catch {
                throw .object(400, "We could not parse the JSON body of your request.", type: "invalid_request_error")
            }
        }
        let query = request.uri.queryParameters
        let limit = query["limit"].flatMap { Int($0) }.map { max(1, min($0, 100)) }
        let page = PageOfList(
            after: query["after"].map(String.init), limit: limit ?? 20,
            includesArchived: query["include_archived"] == "true")
        guard isMade || request.method == .get else { return ProviderAnswer(.null) }
        let answer = try await administration.answer(request.method.rawValue, parts, body, page, now: now)
        guard let answer else { throw .notFound("\(request.method) \(request.uri.path)") }
        return answer
    }

    private func refusal(of fault: Fault?, _ request: Request) -> ProviderRefusal? {
        switch fault?.kind {
        case .unauthorized: .wrongKey
        case .echo: .incorrect(key: request.headers[.authorization] ?? "none")
        case .forbidden: .missingScope
        case .notFound: .notFound(request.uri.path)
        case .tooManyRequests: .tooManyRequests(retryAfter: fault?.retryAfter)
        case .serverError: .serverError
        // What they say comes later.
        case .html, .reply: .serverError
        default: nil
        }
    }
}
