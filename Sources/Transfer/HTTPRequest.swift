package import Secret

/// One request, complete in itself. The secret of its authorisation is kept apart from the plain headers, so that a
/// request can be described without it.
package struct HTTPRequest: Sendable {
    /// In upper case, such as `GET`.
    package var method: String
    /// `http://` or `https://`; no part of it may be secret, since failures name its host.
    package var url: String
    /// Comes behind `url`, for services whose address is the credential.
    package var secretPath: Secret?
    /// Without the authorisation. A control character in one is refused before anything is sent.
    package var headers: [HTTPHeader]
    /// nil for a request that anybody may make.
    package var authorization: Authorization?
    /// nil sends none; an empty one is sent as such.
    package var body: [UInt8]?
    /// Whether the server may be told a second time what it may have done already. If not, a request that left this machine
    /// is not sent again for want of an answer, by nobody.
    package var isRepeatable: Bool

    package init(
        method: String = "GET", url: String, secretPath: Secret? = nil, headers: [HTTPHeader] = [],
        authorization: Authorization? = nil, body: [UInt8]? = nil, isRepeatable: Bool = true
    ) {
        self.method = method
        self.url = url
        self.secretPath = secretPath
        self.headers = headers
        self.authorization = authorization
        self.body = body
        self.isRepeatable = isRepeatable
    }

    /// A header whose value ends in a secret: `Authorization: Bearer …`.
    package struct Authorization: Sendable {
        /// The name of the field.
        package let header: String
        /// What stands before the secret, a blank included.
        package let prefix: String
        package let secret: Secret

        package init(header: String = "Authorization", prefix: String = "Bearer ", secret: Secret) {
            self.header = header
            self.prefix = prefix
            self.secret = secret
        }
    }
}

/// A field of a request or an answer.
package struct HTTPHeader: Hashable, Sendable {
    /// Compared without regard to case; kept as written.
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What came back, whatever its status: a 500 is an answer, a broken connection is a `TransferFailure`.
package struct HTTPResponse: Sendable {
    /// Such as 200: whatever the server said.
    package let status: Int
    /// In the order in which they came, repeated ones included.
    package let headers: [HTTPHeader]
    /// Decompressed; at most `TransferSettings.responseBytes`.
    package let body: [UInt8]

    package init(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The last header of that name, in any case.
    package func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.last { $0.name.lowercased() == wanted }?.value
    }
}

/// Sends one request and waits for its answer. libcurl in programs, a script in tests.
package protocol HTTPTransport: Sendable {
    /// - Throws: `TransferFailure` where no answer came; a status of 400 and more is an answer.
    func send(_ request: HTTPRequest) async throws(TransferFailure) -> HTTPResponse
}
