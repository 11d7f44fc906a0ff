/// Why no answer came. The kind says what a person can do about it; nothing in it is secret.
package struct TransferFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, as far as a caller may act on it.
    package enum Kind: String, Hashable, Sendable {
        /// The host's name, or the proxy's, has no address.
        case cannotResolve = "cannot-resolve"
        /// Nobody listens there, or the way is barred.
        case cannotConnect = "cannot-connect"
        /// Beyond the bounds of `TransferSettings`: connecting, the whole request, or too slow an answer.
        case timedOut = "timed-out"
        /// A certificate that is not trusted, or no common protocol: asking again does not help.
        case tlsFailed = "tls-failed"
        /// The connection ended inside the answer.
        case truncated
        /// Headers or body beyond the bounds of `TransferSettings`.
        case tooLarge = "too-large"
        /// The address or a header cannot be sent; nothing left this machine.
        case invalidRequest = "invalid-request"
        case cancelled
        case other = "transfer-failed"
    }

    package let kind: Kind
    /// libcurl's code; 0 where libcurl was not asked.
    package let curlCode: Int
    /// What happened and with which host, for people.
    package let message: String
    /// At least a part of the request left this machine, so that the server may have acted on it.
    package let requestWasSent: Bool

    package init(_ kind: Kind, curlCode: Int = 0, message: String, requestWasSent: Bool = false) {
        self.kind = kind
        self.curlCode = curlCode
        self.message = message
        self.requestWasSent = requestWasSent
    }

    package var code: String { kind.rawValue }

    /// Whether the same request may succeed later without a change.
    package var isRetriable: Bool {
        switch kind {
        case .cannotResolve, .cannotConnect, .timedOut, .truncated, .other: true
        case .tlsFailed, .tooLarge, .invalidRequest, .cancelled: false
        }
    }

    package var description: String { "\(message) (\(code))" }
}
