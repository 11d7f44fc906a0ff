import Foundation
import JSON
import Secret
import Synchronization
import TestSupport
import Testing
import Transfer
import Vault

@testable import Providers

@Suite struct KMSKeyTests {
    /// Answers with what the test says, and remembers what was asked and how long was waited.
    private final class Script: HTTPTransport {
        let asked = Mutex<[HTTPRequest]>([])
        let pauses = Mutex<[Double]>([])
        private let answers: @Sendable (Int) -> Result<HTTPResponse, TransferFailure>

        init(_ answers: @escaping @Sendable (Int) -> Result<HTTPResponse, TransferFailure>) { self.answers = answers }

        func send(_ request: HTTPRequest) async throws(TransferFailure) -> HTTPResponse {
            let before = asked.withLock { asked in
                defer { asked.append(request) }
                return asked.count
            }
            return try answers(before).get()
        }

        func key(_ id: String = "alias/finops", credentials: AWSCredentials = KMSKeyTests.credentials) -> KMSKey {
            let waiting = Waiting(
                pause: { seconds in self.pauses.withLock { $0.append(seconds) } }, pace: { _ in }, monotonic: { 0 },
                now: { 1_795_341_600 }, random: { 0.5 })
            return KMSKey(
                keyID: id, region: "eu-central-1", endpoint: nil, credentials: credentials,
                transport: PatientTransport(self, waiting: waiting), now: waiting.now)
        }
    }

    private static let credentials = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: Secret(Array("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".utf8)))

    private static func fixture(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/AWS/\(name)", withExtension: "json"))
        return [UInt8](try Data(contentsOf: url))
    }

    @Test func itAsksWhatAWSDocumentsAndReadsWhatAWSAnswers() async throws {
        let answers = try ["kms-generate-data-key", "kms-encrypt", "kms-decrypt"].map { try Self.fixture($0) }
        let script = Script { .success(HTTPResponse(status: 200, body: answers[$0])) }
        let key = script.key()
        let made = try await key.newDataKey(context: .trial)
        #expect(made.plain == Secret(Array(0..<32)))
        let wrapped = try await key.wrap(made.plain, context: .trial)
        #expect(wrapped == made.wrapped)
        #expect(try await key.unwrap(wrapped, keyID: "arn:k", context: .trial) == made.plain)
        let asked = script.asked.withLock(\.self)
        let bodies = try asked.map { try JSONValue.parse($0.body ?? []) }
        #expect(asked.allSatisfy { $0.url == "https://kms.eu-central-1.amazonaws.com/" && $0.method == "POST" })
        #expect(
            asked.compactMap { $0.headers.first { $0.name == "X-Amz-Target" }?.value } == [
                "TrentService.GenerateDataKey", "TrentService.Encrypt", "TrentService.Decrypt",
            ])
        for (body, request) in zip(bodies, ["generate-data-key", "encrypt", "decrypt"]) {
            let documented = try JSONValue.parse(try Self.fixture("kms-\(request)-request"))
            #expect(Set((body.members ?? []).map(\.name)) == Set((documented.members ?? []).map(\.name)))
            #expect(body["EncryptionContext"] == ["format": "finops trial"])
        }
        #expect(bodies.compactMap { $0["KeyId"]?.string } == ["alias/finops", "alias/finops", "arn:k"])
    }

    @Test(arguments: [
        ("error-kms-access-denied", 400, VaultError.Code.refused), ("error-kms-disabled", 400, .refused),
        ("error-kms-incorrect-key", 400, .masterKeyDiffers), ("error-kms-invalid-ciphertext", 400, .tampered),
        ("error-kms-invalid-state", 400, .refused), ("error-kms-not-found", 400, .refused),
        ("error-signature-mismatch", 400, .refused), ("error-expired-token", 400, .refused),
        ("error-unrecognized-client", 400, .refused),
    ]) func aRefusalIsSaidAtOnceWithItsRemedy(_ name: String, _ status: Int, _ code: VaultError.Code) async throws {
        let body = try Self.fixture(name)
        let script = Script { _ in .success(HTTPResponse(status: status, body: body)) }
        let error = await #expect(throws: VaultError.self) { try await script.key().newDataKey(context: .trial) }
        #expect(error?.code == code && error?.isRetriable == false)
        #expect(error?.message.contains("Exception") == true)
        #expect(script.asked.withLock(\.count) == 1)
    }

    @Test(arguments: ["error-kms-throttling", "error-kms-internal"])
    func whatPassesIsAskedForThreeTimesMore(_ name: String) async throws {
        let body = try Self.fixture(name)
        let failing = Script { _ in .success(HTTPResponse(status: 400, body: body)) }
        let error = await #expect(throws: VaultError.self) { try await failing.key().newDataKey(context: .trial) }
        #expect(error?.code == .unavailable && error?.isRetriable == true)
        #expect(failing.asked.withLock(\.count) == 4)
        #expect(failing.pauses.withLock(\.self) == [1, 2, 4])
        let answer = try Self.fixture("kms-generate-data-key")
        let passing = Script {
            $0 < 3
                ? .failure(TransferFailure(.cannotConnect, message: "nobody there"))
                : .success(HTTPResponse(status: 200, body: answer))
        }
        #expect(try await passing.key().newDataKey(context: .trial).plain.count == 32)
    }

    @Test(arguments: [
        "{}", "no JSON", #"{"Plaintext":"AAEC","CiphertextBlob":"AQIC"}"#, #"{"Plaintext":7,"CiphertextBlob":[]}"#,
    ]) func anAnswerThatIsNoneIsRefused(_ body: String) async throws {
        let script = Script { _ in .success(HTTPResponse(status: 200, body: Array(body.utf8))) }
        let error = await #expect(throws: VaultError.self) { try await script.key().newDataKey(context: .trial) }
        #expect(error?.code == .refused)
    }

    /// Whoever is at the other end decides neither under which key secrets lie nor what our logs hold.
    @Test func anAnswerOfAnotherKeyIsRefused() async throws {
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
        let plain = Base64.text(Array(0..<32))
        for (keyID, isRefused) in [(arn, false), (arn + "0", true)] {
            let body = #"{"KeyId":"\#(keyID)","Plaintext":"\#(plain)","CiphertextBlob":"AQIC"}"#
            let key = Script { _ in .success(HTTPResponse(status: 200, body: Array(body.utf8))) }.key(arn)
            let answers: [() async throws -> Void] = [
                { _ = try await key.newDataKey(context: .trial) },
                { _ = try await key.wrap(Secret(Array(0..<32)), context: .trial) },
                { _ = try await key.unwrap([1], keyID: arn, context: .trial) },
            ]
            for answer in answers {
                if isRefused {
                    let error = await #expect(throws: VaultError.self) { try await answer() }
                    #expect(error?.code == .refused && error?.message.contains("KeyId") == true)
                } else {
                    try await answer()
                }
            }
        }
    }

    /// AWS repeats the signed headers where a signature does not match; others may repeat anything.
    @Test func noErrorRepeatsWhatWasSentInSecret() async throws {
        let (token, plain) = ("CANARYtoken", Base64.text(Array(0..<32)))
        let credentials = AWSCredentials(
            accessKeyID: "AKIDEXAMPLE", secretAccessKey: Secret(Array("wJalr".utf8)),
            sessionToken: Secret(Array(token.utf8)))
        let bodies = [
            #"{"__type":"InvalidSignatureException","message":"no match.\n\nThe Canonical String was 'x:CANARYtoken'"}"#,
            #"{"__type":"ValidationException","message":"at 'token': CANARYtoken"}"#,
            #"{"__type":"ValidationException","message":"Value '\#(plain)' at 'plaintext' is wrong"}"#,
            #"{"__type":"\#(token)","message":"x"}"#,
            #"{"__type":"ValidationException","message":"a\u001b[2Jb\rc\nfinops: all is well"}"#,
        ]
        for body in bodies {
            let key = Script { _ in .success(HTTPResponse(status: 400, body: Array(body.utf8))) }
                .key(credentials: credentials)
            let error = await #expect(throws: VaultError.self) {
                try await key.wrap(Secret(Array(0..<32)), context: .trial)
            }
            let message = error?.message ?? token
            #expect(!message.contains(token) && !message.contains(plain), "\(body)")
            #expect(!message.contains("all is well"))
            #expect(message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
        }
    }

    @Test func theFileOfAWSToolsIsRead() throws {
        func read(_ text: String) throws -> AWSCredentials { try AWSCredentials(file: Secret(Array(text.utf8))) }
        let plain = "aws_access_key_id = AKID\naws_secret_access_key=wJal/x=\n"
        #expect(try read(plain).accessKeyID == "AKID")
        let several = "[other]\naws_access_key_id = no\n[default]\r\n# mine\n\(plain)aws_session_token = abc\n[last]\n"
        let found = try read(several)
        #expect(found.accessKeyID == "AKID" && found.sessionToken == Secret(Array("abc".utf8)))
        #expect(found.secretAccessKey == Secret(Array("wJal/x=".utf8)))
        let wrong = #expect(throws: AWSCredentials.Unreadable.self) { try read("[other]\n" + plain) }
        #expect(
            wrong?.description.contains("aws_access_key_id") == true && wrong?.description.contains("AKID") == false)
    }
}

/// Against moto, which checks contexts and key ids as AWS does, but no signature.
@Suite(.serialized) struct KMSServiceTests {
    private func access(_ service: RunningKeyService) -> KMSAccess {
        KMSAccess(
            region: "eu-central-1", endpoint: service.endpoint,
            credentials: AWSCredentials(
                accessKeyID: "AKIDEXAMPLE", secretAccessKey: Secret(Array("wJalrXUtnFEMI".utf8)),
                sessionToken: Secret(Array("token".utf8))))
    }

    @Test func aSecretLiesUnderKMSAndOpensForItselfOnly() async throws {
        try await withKeyService { service in
            try await withTemporaryDirectory { directory in
                let key = try KMSKey("alias/finops", access(service), transfer: TransferSettings())
                #expect(try await key.prove() == service.keys[0])
                let store = SecretStore(directory: directory + "/vault", wrapping: key)
                let secret = Secret(Array("sk-CANARY".utf8))
                for id in ["a", "b"] { _ = try await store.put(secret, id: id, purpose: "p", at: 1) }
                #expect(try await store.secret("a", for: "p") == secret)
                // a's data key under b's name: KMS itself refuses, for the context is another.
                let files = ["a", "b"].map { URL(filePath: "\(directory)/vault/\($0).secret.json") }
                let texts = try files.map { try String(contentsOf: $0, encoding: .utf8) }
                func dataKey(_ text: String) -> String {
                    text.split(separator: "\n").first { $0.contains("encrypted_data_key") }.map(String.init) ?? ""
                }
                try texts[1].replacing(dataKey(texts[1]), with: dataKey(texts[0]))
                    .write(to: files[1], atomically: true, encoding: .utf8)
                let error = await #expect(throws: VaultError.self) { try await store.secret("b", for: "p") }
                #expect(error?.code == .tampered && error?.message.contains("\"b\"") == true)
            }
        }
    }

    @Test func aKeyThatIsNotThereIsSaidSo() async throws {
        try await withKeyService { service in
            let key = try KMSKey("alias/none", access(service), transfer: TransferSettings())
            let error = await #expect(throws: VaultError.self) { try await key.prove() }
            #expect(error?.code == .refused && error?.message.contains("--key-id") == true)
        }
    }
}
