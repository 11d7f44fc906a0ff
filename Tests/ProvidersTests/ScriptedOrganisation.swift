import EventLog
import FinOps
import Foundation
import JSON
import Secret
import Synchronization
import Testing
import Transfer

@testable import Providers

/// Answers requests by a rule of the test and remembers what was asked.
final class ScriptedOrganisation: HTTPTransport {
    typealias Rule = @Sendable (_ asked: Asked) throws(TransferFailure) -> HTTPResponse

    struct Asked: Sendable {
        let path: String
        let query: [(name: String, value: String)]
        /// How many requests came before this one.
        let before: Int

        func value(_ name: String) -> String? { query.first { $0.name == name }?.value }
        func values(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }
        var span: Range<Int64> {
            (value("start_time").flatMap { Int64($0) } ?? 0)..<(value("end_time").flatMap { Int64($0) } ?? .max)
        }
        var page: String? { value("page") }
    }

    private let rule: Rule
    private let record = Mutex<[Asked]>([])

    init(_ rule: @escaping Rule) { self.rule = rule }

    var asked: [Asked] { record.withLock(\.self) }

    func send(_ request: HTTPRequest) async throws(TransferFailure) -> HTTPResponse {
        guard let parts = URLComponents(string: request.url) else {
            throw TransferFailure(.invalidRequest, message: request.url)
        }
        let query = (parts.queryItems ?? []).map { (name: $0.name, value: $0.value ?? "") }
        let asked = record.withLock { record in
            record.append(Asked(path: parts.path, query: query, before: record.count))
            return record[record.count - 1]
        }
        return try rule(asked)
    }

    /// Patient like in production, but without waiting.
    var patient: PatientTransport {
        let waiting = Waiting(pause: { _ in }, pace: { _ in }, monotonic: { 0 }, now: { 0 }, random: { 0.5 })
        return PatientTransport(self, waiting: waiting)
    }

    func source(_ style: OpenAIEndpoint.ListStyle = .plain) throws -> OpenAIUsageSource {
        OpenAIUsageSource(
            account: "acme", endpoint: try OpenAIEndpoint(base: "https://api.test", listStyle: style),
            secret: Secret(Array("sk-admin-PlantedSecretValue0001".utf8)), transport: patient)
    }
}

enum Fixture {
    static func bytes(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/openai/\(name)", withExtension: nil))
        return Array(try Data(contentsOf: url))
    }

    static func json(_ name: String) throws -> JSONValue { try JSONValue.parse(try bytes(name)) }

    /// The results of every bucket of a page.
    static func results(_ name: String) throws -> [JSONValue] {
        try #require(try json(name)["data"]?.array).flatMap { $0["results"]?.array ?? [] }
    }
}

/// A day in the fixtures' time, and pages about it.
enum Pages {
    static let day = Day("2026-11-01")!
    static let midnight: Int64 = 1_793_491_200
    static let later = Timestamp(seconds: midnight + 10 * 86_400)

    static func row(_ model: String = "gpt-x", input: Int = 100, project: String = "proj_1") -> JSONValue {
        [
            "object": "organization.usage.completions.result", "input_tokens": .integer(input), "output_tokens": 10,
            "num_model_requests": 1, "project_id": .string(project), "api_key_id": "key_1", "model": .string(model),
            "batch": false, "service_tier": "default",
        ]
    }

    static func bucket(_ start: Int64, width: Int64 = 3_600, _ rows: [JSONValue]) -> JSONValue {
        [
            "object": "bucket", "start_time": .integer(start), "end_time": .integer(start + width),
            "results": .array(rows),
        ]
    }

    static func page(_ buckets: [JSONValue], next: String? = nil, hasMore: Bool? = nil) -> HTTPResponse {
        let body: JSONValue = [
            "object": "page", "data": .array(buckets), "has_more": .bool(hasMore ?? (next != nil)),
            "next_page": JSONValue(next),
        ]
        return HTTPResponse(status: 200, body: Array(body.text.utf8))
    }

    /// Every hour of the span, with rows where the rule has some.
    static func hours(_ span: Range<Int64>, _ rows: (Int64) -> [JSONValue] = { _ in [] }) -> [JSONValue] {
        stride(from: span.lowerBound, to: span.upperBound, by: 3_600).map { bucket($0, rows($0)) }
    }

    /// An organisation with nothing but these completions.
    static func onlyCompletions(
        _ rule: @escaping @Sendable (ScriptedOrganisation.Asked) throws(TransferFailure) -> HTTPResponse
    ) -> ScriptedOrganisation {
        ScriptedOrganisation { asked throws(TransferFailure) in
            asked.path.hasSuffix("/completions") ? try rule(asked) : page(hours(asked.span))
        }
    }
}
