import JSON
package import Secret
package import Transfer
package import Vault

/// A symmetric key of AWS KMS that wraps data keys. The secret's id, version and purpose are the encryption context:
/// AWS refuses to open a key under another one, and writes them into CloudTrail in clear.
/// Source: AWS KMS API reference, JSON 1.1, `TrentService`.
package struct KMSKey: KeyWrapping {
    package static let kind = "aws-kms"

    package let name: KeyName
    private let endpoint: String
    private let signature: AWSSignature
    private let credentials: AWSCredentials
    private let transport: PatientTransport
    private let now: @Sendable () -> Int64

    /// - Parameter endpoint: nil for AWS's own of the region.
    /// - Parameter transport: with the retries that a key service is worth.
    /// - Parameter now: Unix seconds of the real clock: AWS compares them with its own.
    package init(
        keyID: String, region: String, endpoint: String?, credentials: AWSCredentials, transport: PatientTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        name = KeyName(kind: Self.kind, id: keyID)
        self.endpoint = endpoint ?? Self.endpoint(of: region)
        signature = AWSSignature(region: region, service: "kms")
        self.credentials = credentials
        self.transport = transport
        self.now = now
    }

    /// China is a partition of its own.
    private static func endpoint(of region: String) -> String {
        "https://kms.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")"
    }

    /// - Throws: `VaultError`: `.refused` with what AWS says, `.unavailable` after three retries.
    package func newDataKey(context: KeyContext) async throws(VaultError) -> (plain: Secret, wrapped: [UInt8]) {
        let answer = try await ask(
            "GenerateDataKey",
            ["KeyId": .string(name.id), "KeySpec": "AES_256", "EncryptionContext": Self.json(context)])
        try Self.check(answer, isOf: name.id)
        return (try Self.plain(in: answer), try Self.bytes("CiphertextBlob", in: answer))
    }

    /// - Throws: as `newDataKey`.
    package func wrap(_ dataKey: Secret, context: KeyContext) async throws(VaultError) -> [UInt8] {
        let plain = dataKey.withUTF8 { Base64.text(Array($0)) }
        let answer = try await ask(
            "Encrypt",
            ["KeyId": .string(name.id), "Plaintext": .string(plain), "EncryptionContext": Self.json(context)],
            hiding: Secret(Array(plain.utf8)))
        try Self.check(answer, isOf: name.id)
        return try Self.bytes("CiphertextBlob", in: answer)
    }

    /// - Throws: as `newDataKey`; `.tampered` where bytes or context are not what was wrapped.
    package func unwrap(_ wrapped: [UInt8], keyID: String, context: KeyContext) async throws(VaultError) -> Secret {
        let answer = try await ask(
            "Decrypt",
            [
                // Pinned: a blob of somebody else's key does not open, whatever it holds.
                "KeyId": .string(keyID), "CiphertextBlob": .string(Base64.text(wrapped)),
                "EncryptionContext": Self.json(context),
            ])
        try Self.check(answer, isOf: keyID)
        return try Self.plain(in: answer)
    }

    /// Tries everything that is ever asked of the key.
    /// - Returns: what AWS calls it in full, also where it is known by an alias: an alias may point elsewhere tomorrow.
    /// - Throws: as `newDataKey`.
    package func prove() async throws(VaultError) -> String {
        let context = KeyContext.trial
        let answer = try await ask(
            "GenerateDataKey",
            ["KeyId": .string(name.id), "KeySpec": "AES_256", "EncryptionContext": Self.json(context)])
        guard let resource = answer["KeyId"]?.string, !resource.isEmpty else { throw Self.unreadable("KeyId") }
        let made = try Self.plain(in: answer)
        let wrapped = [try Self.bytes("CiphertextBlob", in: answer), try await wrap(made, context: context)]
        for wrapped in wrapped {
            guard try await unwrap(wrapped, keyID: resource, context: context) == made else {
                throw Self.unreadable("Plaintext")
            }
        }
        return resource
    }

    /// - Parameter plain: what of the body no error may repeat.
    private func ask(
        _ operation: String, _ body: JSONValue, hiding plain: Secret? = nil
    ) async throws(VaultError) -> JSONValue {
        let hidden = [credentials.sessionToken, plain].compactMap(\.self)
        let request = HTTPRequest(
            method: "POST", url: endpoint.hasSuffix("/") ? endpoint : endpoint + "/",
            headers: [
                HTTPHeader("Content-Type", "application/x-amz-json-1.1"),
                HTTPHeader("X-Amz-Target", "TrentService.\(operation)"),
            ],
            body: Array(body.text.utf8))
        do throws(PatienceExhausted<VaultError>) {
            // Signed once: all retries together end within the five minutes that AWS allows.
            let signed: HTTPRequest
            do { signed = try signature.sign(request, as: credentials, at: now()) } catch { throw .transfer(error) }
            return try await transport.send(signed) { Self.verdict(on: $0, of: operation, hiding: hidden) }
        } catch {
            switch error {
            case .judged(let failure): throw failure
            case .transfer(let failure):
                throw VaultError(
                    failure.isRetriable ? .unavailable : .refused, "AWS KMS: \(failure)",
                    isRetriable: failure.isRetriable)
            case .throttled(let seconds):
                throw VaultError(
                    .unavailable, "AWS KMS asks to come back in \(Int(seconds)) seconds", isRetriable: true)
            }
        }
    }

    /// Names of which AWS says that asking again may help.
    private static let passing: Set<String> = [
        "ThrottlingException", "KMSInternalException", "KeyUnavailableException", "DependencyTimeoutException",
        "ServiceUnavailable", "ServiceUnavailableException", "InternalFailure",
    ]

    private static func verdict(
        on response: HTTPResponse, of operation: String, hiding hidden: [Secret]
    ) -> Verdict<JSONValue, VaultError> {
        guard response.status == 200 else {
            return verdict(on: AWSError(response, hiding: hidden), response.status, operation)
        }
        do { return .accept(try JSONValue.parse(response.body)) } catch {
            return .refuse(VaultError(.refused, "AWS KMS answers \(operation) with something that is no JSON"))
        }
    }

    private static func verdict(
        on error: AWSError, _ status: Int, _ operation: String
    ) -> Verdict<JSONValue, VaultError> {
        if passing.contains(error.name) || status >= 500 || status == 429 {
            return .retry(VaultError(.unavailable, "AWS KMS (\(operation)): \(error.text)", isRetriable: true))
        }
        let (code, remedy): (VaultError.Code, String) =
            switch error.name {
            case "InvalidCiphertextException":
                (.tampered, "its wrapped key is not what was written, or belongs to another secret")
            case "IncorrectKeyException":
                (.masterKeyDiffers, "it was wrapped by another key: restore that key's access")
            case "NotFoundException": (.refused, "check --key-id and --region of `finops vault kms set`")
            case "DisabledException", "KMSInvalidStateException": (.refused, "enable the key in AWS")
            case "AccessDeniedException":
                (.refused, "allow kms:GenerateDataKey, kms:Encrypt and kms:Decrypt on the key to these credentials")
            case "UnrecognizedClientException", "ExpiredTokenException", "MissingAuthenticationTokenException":
                (.refused, "give other credentials with `finops vault kms set`")
            case "InvalidSignatureException":
                (
                    .refused,
                    "check the secret access key, the region, and this machine's clock: AWS allows five minutes"
                )
            default: (.refused, "see the AWS KMS reference for this error")
            }
        return .refuse(VaultError(code, "AWS KMS (\(operation)): \(error.text): \(remedy)"))
    }

    private static func json(_ context: KeyContext) -> JSONValue {
        .object(context.pairs.map { .init($0.name, .string($0.value)) })
    }

    /// An alias may be answered by any key; a key that was named in full only by itself.
    private static func check(_ answer: JSONValue, isOf keyID: String) throws(VaultError) {
        guard keyID.hasPrefix("arn:"), keyID.contains(":key/") else { return }
        guard answer["KeyId"]?.string == keyID else { throw unreadable("KeyId") }
    }

    private static func plain(in answer: JSONValue) throws(VaultError) -> Secret {
        let plain = Secret(try bytes("Plaintext", in: answer))
        guard plain.count == AESGCM.keyBytes else { throw unreadable("Plaintext") }
        return plain
    }

    private static func bytes(_ name: String, in answer: JSONValue) throws(VaultError) -> [UInt8] {
        guard let bytes = answer[name]?.string.flatMap(Base64.bytes), !bytes.isEmpty else { throw unreadable(name) }
        return bytes
    }

    private static func unreadable(_ name: String) -> VaultError {
        VaultError(.refused, "AWS KMS answers without a usable \(name): is --endpoint a KMS?")
    }
}
