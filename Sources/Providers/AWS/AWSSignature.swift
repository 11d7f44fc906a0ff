import Digest
import EventLog
package import Secret
package import Transfer

/// Who asks AWS.
package struct AWSCredentials: Sendable {
    /// Such as `AKIA…`; no secret.
    package let accessKeyID: String
    package let secretAccessKey: Secret
    /// Of temporary credentials; nil for those that do not end.
    package let sessionToken: Secret?

    package init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

/// Signature Version 4 of AWS: a request that proves its sender without carrying the key. Every header of the request
/// is signed. Not for S3, which encodes paths in another way.
/// Source: AWS, "Create a signed AWS API request"; the vectors of the test are those that AWS publishes and botocore's.
package struct AWSSignature: Sendable {
    /// Such as `eu-central-1`.
    package let region: String
    /// The name that the service signs under: `kms`, `ce`, `sts` …
    package let service: String

    package init(region: String, service: String) {
        self.region = region
        self.service = service
    }

    /// - Parameter seconds: Unix seconds; AWS refuses more than five minutes of difference.
    /// - Returns: the request with `X-Amz-Date`, `Authorization` and, where there is one, the session's token.
    /// - Throws: `TransferFailure` (invalid request) for an address without scheme or host.
    package func sign(
        _ request: HTTPRequest, as credentials: AWSCredentials, at seconds: Int64
    ) throws(TransferFailure) -> HTTPRequest {
        let parts = try steps(request, as: credentials, at: seconds)
        var signed = request
        signed.headers += [
            HTTPHeader("X-Amz-Date", parts.date),
            HTTPHeader(
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(parts.scope), "
                    + "SignedHeaders=\(parts.signedHeaders), Signature=\(parts.signature)"),
        ]
        // The token is a secret, unlike the signature.
        signed.authorization = credentials.sessionToken.map {
            .init(header: "X-Amz-Security-Token", prefix: "", secret: $0)
        }
        return signed
    }

    /// What a signature is made of; kept apart so that each step can be held against published vectors.
    package struct Steps: Sendable {
        /// `YYYYMMDDTHHMMSSZ`.
        package let date: String
        /// `YYYYMMDD/region/service/aws4_request`.
        package let scope: String
        /// Names in their order, joined by `;`.
        package let signedHeaders: String
        package let stringToSign: String
        /// Hexadecimal.
        package let signature: String
    }

    /// - Throws: as `sign`.
    package func steps(
        _ request: HTTPRequest, as credentials: AWSCredentials, at seconds: Int64
    ) throws(TransferFailure) -> Steps {
        let address = try SignedAddress(request.url)
        let date = Timestamp(seconds: seconds).rfc3339Seconds.filter { $0 != "-" && $0 != ":" }
        let day = String(date.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        var headers = request.headers.map { ($0.name.lowercased(), Self.trimmed($0.value)) }
        headers += [("host", address.host), ("x-amz-date", date)]
        if credentials.sessionToken != nil { headers.append(("x-amz-security-token", "")) }
        headers.sort { $0.0 < $1.0 }
        let names = headers.map(\.0).joined(separator: ";")
        var canonical = Array("\(request.method)\n\(address.path)\n\(address.query)\n".utf8)
        for (name, value) in headers {
            canonical += Array("\(name):\(value)".utf8)
            if name == "x-amz-security-token" { credentials.sessionToken?.withUTF8 { canonical += $0 } }
            canonical.append(UInt8(ascii: "\n"))
        }
        canonical += Array("\n\(names)\n\(hexText(SHA256.hash(request.body ?? [])))".utf8)
        defer { canonical.cleanse() }
        let stringToSign = "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(hexText(SHA256.hash(canonical)))"
        let key = key(of: credentials, day: day)
        let signature = key.withUTF8 { hmacSHA256(key: $0, message: Array(stringToSign.utf8)) }
        return Steps(
            date: date, scope: scope, signedHeaders: names, stringToSign: stringToSign, signature: hexText(signature))
    }

    /// The key that signs on one day, in one region, for one service.
    private func key(of credentials: AWSCredentials, day: String) -> Secret {
        var first = Array("AWS4".utf8)
        credentials.secretAccessKey.withUTF8 { first += $0 }
        var key = Secret(first)
        first.cleanse()
        for word in [day, region, service, "aws4_request"] {
            key = Secret(key.withUTF8 { hmacSHA256(key: $0, message: Array(word.utf8)) })
        }
        return key
    }

    /// Without blanks around it, and one where there were several.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }
}

/// An address as it is signed.
private struct SignedAddress {
    /// With the port unless it is the scheme's own: what the `Host` header says.
    let host: String
    /// Each segment, encoded as it is sent, encoded once more.
    let path: String
    /// Sorted by name, then by value.
    let query: String

    init(_ url: String) throws(TransferFailure) {
        _ = try URLHost(url)
        let isSecure = url.lowercased().hasPrefix("https://")
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let standard = isSecure ? ":443" : ":80"
        host = String(authority.hasSuffix(standard) ? authority.dropLast(standard.count) : authority)
        let halves = rest.dropFirst(authority.count)
            .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let sent = halves.first ?? ""
        path = sent.isEmpty ? "/" : Self.encoded(sent, keeping: "/")
        let pairs = (halves.count > 1 ? halves[1] : "").split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        query = pairs.sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
    }

    private static func encoded(_ text: Substring, keeping kept: Character) -> String {
        var out = ""
        for byte in text.utf8 {
            let character = Character(Unicode.Scalar(byte))
            switch character {
            case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~", kept: out.append(character)
            default: out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
