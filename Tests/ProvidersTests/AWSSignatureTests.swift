import Digest
import EventLog
import Foundation
import JSON
import Secret
import Testing
import Transfer

@testable import Providers

/// Requests with what botocore 1.43.11 makes of them, and requests of the suite that AWS publishes.
@Suite struct AWSSignatureTests {
    static let vectors = read("sigv4-vectors")
    static let suite = read("sigv4-aws-suite")

    private static func read(_ name: String) -> [JSONValue] {
        let url = Bundle.module.url(forResource: "Fixtures/AWS/\(name)", withExtension: "json")
        // A missing or damaged file leaves no vectors, which `thereAreVectors` notices.
        let data = url.flatMap { try? Data(contentsOf: $0) } ?? Data()
        return (try? JSONValue.parse(Array(data)))?["vectors"]?.array ?? []
    }

    @Test func thereAreVectors() { #expect(Self.vectors.count == 7 && Self.suite.count == 7) }

    @Test(arguments: suite) func whatAWSPublishesIsWhatIsSigned(_ vector: JSONValue) throws {
        func text(_ name: String) throws -> String { try #require(vector[name]?.string) }
        let request = HTTPRequest(
            method: try text("method"), url: try text("url"),
            headers: (vector["headers"]?.members ?? []).map { HTTPHeader($0.name, $0.value.string ?? "") },
            body: Array(try text("body").utf8))
        let credentials = AWSCredentials(
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: Secret(Array("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".utf8)),
            sessionToken: vector["session_token"]?.string.map { Secret(Array($0.utf8)) })
        let steps = try AWSSignature(region: "us-east-1", service: "service")
            .steps(request, as: credentials, at: try Self.seconds("20150830T123600Z"))
        #expect(try text("signed_headers") == steps.signedHeaders)
        #expect(try text("signature") == steps.signature)
    }

    @Test(arguments: vectors) func aRequestIsSignedAsAWSSignsIt(_ vector: JSONValue) throws {
        func text(_ name: String) throws -> String { try #require(vector[name]?.string) }
        let given = try #require(vector["request"])
        let request = HTTPRequest(
            method: try #require(given["method"]?.string), url: try #require(given["url"]?.string),
            headers: (given["headers_to_sign"]?.members ?? []).map { HTTPHeader($0.name, $0.value.string ?? "") },
            body: Array((given["body"]?.string ?? "").utf8))
        let token = vector["session_token"]?.string.map { Secret(Array($0.utf8)) }
        let credentials = AWSCredentials(
            accessKeyID: try text("access_key_id"), secretAccessKey: Secret(Array(try text("secret_access_key").utf8)),
            sessionToken: token)
        let signature = AWSSignature(region: try text("region"), service: try text("service"))
        let seconds = try Self.seconds(try text("amz_date"))
        let steps = try signature.steps(request, as: credentials, at: seconds)
        #expect(try text("string_to_sign") == steps.stringToSign)
        #expect(try text("signature") == steps.signature)
        let signed = try signature.sign(request, as: credentials, at: seconds)
        #expect(try HTTPHeader("Authorization", text("authorization_header")) == signed.headers.last)
        #expect(try signed.headers.contains(HTTPHeader("X-Amz-Date", text("amz_date"))))
        #expect(signed.authorization?.header == token.map { _ in "X-Amz-Security-Token" })
        #expect(signed.authorization?.secret == token)
    }

    /// `20150830T123600Z`.
    private static func seconds(_ date: String) throws -> Int64 {
        let digits = Array(date)
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        let text =
            "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z"
        return try #require(Timestamp(rfc3339: text)).seconds
    }

    @Test func blanksInAHeaderCountAsOneAndNoAddressIsGuessed() throws {
        let credentials = AWSCredentials(accessKeyID: "A", secretAccessKey: Secret(Array("B".utf8)))
        let signature = AWSSignature(region: "r", service: "s")
        func sign(_ url: String, _ value: String) throws -> String {
            try signature.steps(
                HTTPRequest(url: url, headers: [HTTPHeader("X-A", value)]), as: credentials, at: 0
            ).signature
        }
        #expect(try sign("https://h/", " a   b ") == sign("https://h", "a b"))
        #expect(try sign("https://h:443/", "a") == sign("https://h/", "a"))
        #expect(try sign("https://h:444/", "a") != sign("https://h/", "a"))
        #expect(throws: TransferFailure.self) { try sign("h/", "a") }
        #expect(throws: TransferFailure.self) { try sign("https://me:secret@h/", "a") }
    }
}
