import FinOps
import JSON
import Secret
import Transfer

/// What can be asked of OpenAI, and what an answer to it means.
enum OpenAIQuestion: Hashable, Sendable {
    case usage(OpenAIUsageKind)
    case costs
    case legacy

    var path: String {
        switch self {
        case .usage(let kind): kind.path
        case .costs: OpenAICosts.path
        case .legacy: "/usage"
        }
    }

    var groupings: [String] {
        switch self {
        case .usage(let kind): kind.groupings
        case .costs: OpenAICosts.groupings
        case .legacy: []
        }
    }

    /// Asks with the transport's patience.
    func ask(
        _ url: String, secret: Secret, over transport: PatientTransport
    ) async throws(SourceFailure) -> JSONValue {
        let request = HTTPRequest(
            url: url, headers: [HTTPHeader("Accept", "application/json")], authorization: .init(secret: secret))
        do throws(PatienceExhausted<SourceFailure>) {
            return try await transport.send(request) { judge($0, secret: secret) }
        } catch {
            throw Self.failure(error)
        }
    }

    /// Reads a 200 as JSON, everything else as a failure.
    func judge(_ response: HTTPResponse, secret: Secret) -> Verdict<JSONValue, SourceFailure> {
        guard response.status == 200 else { return refusal(response, secret: secret) }
        do { return .accept(try JSONValue.parse(response.body)) } catch {
            // A proxy's page or a cut-off body: the next answer may well be whole.
            return .retry(SourceFailure(.malformedAnswer, "the answer is \(error)", isRetriable: true))
        }
    }

    private func refusal(_ response: HTTPResponse, secret: Secret) -> Verdict<JSONValue, SourceFailure> {
        let text = ProviderText.message(of: response, secret: secret)
        switch response.status {
        case 401, 403: return .refuse(SourceFailure(.notAuthorised, "OpenAI refuses the key: \(text)"))
        case 404 where self == .costs:
            return .retry(SourceFailure(.unavailable, "the costs endpoint is away for now: \(text)"))
        case 404: return .refuse(SourceFailure(.notFound, "OpenAI does not know the address: \(text)"))
        case 408, 429: return .retry(SourceFailure(.throttled, "OpenAI asks to slow down: \(text)"))
        case 500...: return .retry(SourceFailure(.unavailable, "OpenAI has an error: \(text)"))
        case 300..<400:
            return .refuse(SourceFailure(.refused, "redirects are not followed; correct the base address (\(text))"))
        default: return .refuse(SourceFailure(.refused, "OpenAI refuses the request: \(text)"))
        }
    }

    /// What remains when patience has ended.
    static func failure(_ end: PatienceExhausted<SourceFailure>) -> SourceFailure {
        switch end {
        case .judged(let failure): return failure
        case .throttled(let seconds):
            return SourceFailure(.throttled, "OpenAI asks to come back in \(Int(seconds)) seconds")
        case .transfer(let failure):
            let kind: SourceFailure.Kind =
                switch failure.kind {
                case .cancelled: .cancelled
                case .invalidRequest: .misconfigured
                case .tooLarge: .answerTooLarge
                default: .unreachable
                }
            return SourceFailure(kind, failure.message, isRetriable: failure.isRetriable || kind == .cancelled)
        }
    }
}

/// The words of a provider's error, made fit for logs and events.
enum ProviderText {
    static let charactersLimit = 300

    /// Accepts `error` as object or string, else a top-level `message`, else says the status. Never the secret, even if
    /// the answer repeats it; what is hidden becomes a space.
    static func message(of response: HTTPResponse, secret: Secret) -> String {
        let status = "status \(response.status)"
        // An edge's HTML page says nothing that its status does not.
        guard let body = parsed(response.body), let text = words(in: body), !text.isEmpty else { return status }
        let plain = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isHidden ? " " : $0 }))
        let safe = without(secret, plain)
        return (safe.count > charactersLimit ? String(safe.prefix(charactersLimit)) + "…" : safe) + " (\(status))"
    }

    private static func parsed(_ body: [UInt8]) -> JSONValue? {
        do { return try JSONValue.parse(body) } catch { return nil }
    }

    private static func words(in body: JSONValue) -> String? {
        body["error"]?["message"]?.string ?? body["error"]?.string ?? body["message"]?.string
    }

    private static func without(_ secret: Secret, _ text: String) -> String {
        secret.withUTF8 { bytes in
            guard bytes.count >= 8 else { return text }
            return text.replacing(String(decoding: bytes, as: UTF8.self), with: secret.mask)
        }
    }
}
