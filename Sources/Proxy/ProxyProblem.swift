package import NIOHTTP1

/// Why a request is not served, where the proxy itself finds it out.
package enum ProxyProblem: String, CaseIterable, Hashable, Sendable {
    /// Not HTTP, or HTTP that two readers could understand differently.
    case malformed
    case headersTooLarge
    case bodyTooLarge
    /// All bodies together would take more memory than there is for them.
    case overloaded
    /// Its head or body did not come in time.
    case tooSlow
    /// CONNECT and TRACE.
    case methodRefused
    /// WebSocket and the like.
    case upgradeRefused
    case expectationFailed

    package var status: HTTPResponseStatus {
        switch self {
        case .malformed: .badRequest
        case .headersTooLarge: .requestHeaderFieldsTooLarge
        case .bodyTooLarge: .payloadTooLarge
        case .overloaded: .serviceUnavailable
        case .tooSlow: .requestTimeout
        case .methodRefused: .methodNotAllowed
        case .upgradeRefused: .notImplemented
        case .expectationFailed: .expectationFailed
        }
    }

    /// For the client: what is wrong and what helps.
    package var sentence: String {
        switch self {
        case .malformed: "The request is not well-formed HTTP/1.1."
        case .headersTooLarge: "The request's headers are larger than this gateway accepts."
        case .bodyTooLarge: "The request's body is larger than this gateway accepts."
        case .overloaded: "The gateway holds as many request bodies as it can. Try again in a moment."
        case .tooSlow: "The request did not arrive in time."
        case .methodRefused: "This method is not served."
        case .upgradeRefused: "This gateway does not change protocols."
        case .expectationFailed: "Only `Expect: 100-continue` is understood."
        }
    }
}
