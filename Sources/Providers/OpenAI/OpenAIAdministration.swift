package import FinOps
import JSON
package import Secret
package import Transfer

/// Projects, service accounts, keys and limits of an OpenAI organisation, by its administration interface and an admin key
/// (`/organization/projects/…`; specification 2.3.0 and, for spend limits, SDK 3.54.0).
package struct OpenAIAdministration: ProviderAdministration {
    private let endpoint: OpenAIEndpoint
    private let secret: Secret
    private let transport: PatientTransport

    /// - Parameters:
    ///   - secret: the admin key.
    ///   - transport: the only one to this organisation.
    package init(endpoint: OpenAIEndpoint, secret: Secret, transport: PatientTransport) {
        self.endpoint = endpoint
        self.secret = secret
        self.transport = transport
    }

    private static let projects = "/organization/projects"

    private static func path(_ project: String, _ rest: String...) -> String {
        ([projects, OpenAIEndpoint.escaped(project)] + rest).joined(separator: "/")
    }

    // MARK: Projects

    package func projects(named name: String) async throws(SourceFailure) -> [ProviderProject] {
        let found = try await list(Self.projects, [("include_archived", "true")]) { reader throws(SourceFailure) in
            try Self.project(reader)
        }
        return found.filter { $0.name == name }.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    package func createProject(named name: String) async throws(SourceFailure) -> ProviderProject {
        let answer = try await ask("POST", Self.projects, ["name": .string(name)], isRepeatable: false)
        return try Self.project(AnswerReader(value: answer, place: AnswerPlace(path: Self.projects)))
    }

    package func archiveProject(_ id: String) async throws(SourceFailure) -> Bool {
        try await unlessMissing { () throws(SourceFailure) in
            _ = try await ask("POST", Self.path(id, "archive"))
        }
    }

    private static func project(_ reader: AnswerReader) throws(SourceFailure) -> ProviderProject {
        ProviderProject(
            id: try reader.needed("id"), name: try reader.text("name") ?? "",
            isArchived: try reader.text("status") == "archived", created: try reader.count("created_at"))
    }

    // MARK: Service accounts

    package func serviceAccounts(of project: String) async throws(SourceFailure) -> [ProviderServiceAccount] {
        try await list(Self.path(project, "service_accounts")) { reader throws(SourceFailure) in
            ProviderServiceAccount(id: try reader.needed("id"), name: try reader.text("name") ?? "")
        }
    }

    package func createServiceAccount(
        named name: String, in project: String
    ) async throws(SourceFailure) -> NewServiceAccount {
        let path = Self.path(project, "service_accounts")
        let answer = try await ask("POST", path, ["name": .string(name)], isRepeatable: false)
        let reader = AnswerReader(value: answer, place: AnswerPlace(path: path))
        let key = AnswerReader(value: answer["api_key"] ?? .null, place: AnswerPlace(path: path + ", api_key"))
        guard let value = answer["api_key"]?["value"]?.string, !value.isEmpty,
            value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw reader.malformed("api_key.value", "is no key") }
        return NewServiceAccount(
            id: try reader.needed("id"), keyID: try key.needed("id"), key: Secret(Array(value.utf8)))
    }

    package func deleteServiceAccount(_ id: String, of project: String) async throws(SourceFailure) -> Bool {
        try await unlessMissing { () throws(SourceFailure) in
            _ = try await ask("DELETE", Self.path(project, "service_accounts", OpenAIEndpoint.escaped(id)))
        }
    }

    // MARK: Keys

    package func keys(of project: String) async throws(SourceFailure) -> [ProviderKey] {
        try await list(Self.path(project, "api_keys")) { reader throws(SourceFailure) in
            let owner = reader.value["owner"]?["service_account"]?["id"]?.string
            return ProviderKey(
                id: try reader.needed("id"), name: try reader.text("name") ?? "", serviceAccount: owner)
        }
    }

    package func deleteKey(_ id: String, of project: String) async throws(SourceFailure) -> Bool {
        try await unlessMissing { () throws(SourceFailure) in
            _ = try await ask("DELETE", Self.path(project, "api_keys", OpenAIEndpoint.escaped(id)))
        }
    }

    // MARK: Limits

    package func spendLimit(of project: String) async throws(SourceFailure) -> Int64? {
        let path = Self.path(project, "spend_limit")
        var cents: Int64?
        _ = try await unlessMissing { () throws(SourceFailure) in
            let reader = AnswerReader(value: try await ask("GET", path), place: AnswerPlace(path: path))
            let amount = try reader.count("threshold_amount")
            // The least that can be set is a cent: 0 stands for none.
            cents = amount == 0 ? nil : amount
        }
        return cents
    }

    package func setSpendLimit(cents: Int64, of project: String) async throws(SourceFailure) -> Bool {
        try await unlessMissing { () throws(SourceFailure) in
            _ = try await ask(
                "POST", Self.path(project, "spend_limit"),
                ["threshold_amount": .integer(cents), "currency": "USD", "interval": "month"])
        }
    }

    package func rateLimits(of project: String) async throws(SourceFailure) -> [ProviderRateLimit] {
        try await list(Self.path(project, "rate_limits")) { reader throws(SourceFailure) in
            ProviderRateLimit(
                id: try reader.needed("id"), model: try reader.text("model") ?? "",
                requests: try reader.count("max_requests_per_1_minute"),
                tokens: try reader.count("max_tokens_per_1_minute"))
        }
    }

    package func setLeast(_ limit: ProviderRateLimit, of project: String) async throws(SourceFailure) {
        _ = try await ask(
            "POST", Self.path(project, "rate_limits", OpenAIEndpoint.escaped(limit.id)),
            ["max_requests_per_1_minute": 1, "max_tokens_per_1_minute": 1])
    }
}

extension OpenAIAdministration {
    private static let pageItems = 100
    /// An organisation has fewer of anything; a list that goes on is one that repeats itself.
    private static let mostPages = 1_000

    private func list<Item>(
        _ path: String, _ values: [(String, String)] = [], _ read: (AnswerReader) throws(SourceFailure) -> Item
    ) async throws(SourceFailure) -> [Item] {
        var items: [Item] = []
        var after: String?
        for _ in 0..<Self.mostPages {
            let query = [("limit", "\(Self.pageItems)")] + values + (after.map { [("after", $0)] } ?? [])
            let page = AnswerReader(
                value: try await ask("GET", path, query: query), place: AnswerPlace(path: path, list: "data"))
            let data = try page.list("data")
            for (row, value) in data.enumerated() {
                items.append(try read(AnswerReader(value: value, place: AnswerPlace(path: path, row: row))))
            }
            guard try page.flag("has_more") == true, let last = try page.text("last_id"), last != after else {
                return items
            }
            after = last
        }
        throw SourceFailure(.malformedAnswer, "\(path): the list has no end")
    }

    /// - Returns: false if what is asked about does not exist there.
    private func unlessMissing(
        _ body: () async throws(SourceFailure) -> Void
    ) async throws(SourceFailure) -> Bool {
        do throws(SourceFailure) {
            try await body()
            return true
        } catch {
            if error.kind == .notFound { return false }
            throw error
        }
    }

    private func ask(
        _ method: String, _ path: String, _ body: JSONValue? = nil, query: [(String, String)] = [],
        isRepeatable: Bool = true
    ) async throws(SourceFailure) -> JSONValue {
        var headers = [HTTPHeader("Accept", "application/json")]
        if body != nil { headers.append(HTTPHeader("Content-Type", "application/json")) }
        // Without a body a POST still says that it has none, as the official SDK does.
        let bytes = body.map { Array($0.text.utf8) } ?? (method == "POST" ? [] : nil)
        let request = HTTPRequest(
            method: method, url: endpoint.url(path, query), headers: headers, authorization: .init(secret: secret),
            body: bytes, isRepeatable: isRepeatable)
        do throws(PatienceExhausted<SourceFailure>) {
            return try await transport.send(request) {
                Self.judge($0, secret: secret, isRepeatable: isRepeatable)
            }
        } catch {
            throw OpenAIQuestion.failure(error)
        }
    }

    static func judge(
        _ response: HTTPResponse, secret: Secret, isRepeatable: Bool
    ) -> Verdict<JSONValue, SourceFailure> {
        let text = ProviderText.message(of: response, secret: secret)
        switch response.status {
        case 200..<300:
            do { return .accept(try JSONValue.parse(response.body)) } catch {
                return doubtful(SourceFailure(.malformedAnswer, "the answer is \(error)"), isRepeatable)
            }
        case 401: return .refuse(SourceFailure(.notAuthorised, "OpenAI refuses the admin key: \(text)"))
        case 403: return .refuse(SourceFailure(.notAuthorised, "the admin key may not do this: \(text)"))
        // 405: an older contract that has the address but not the method.
        case 404, 405: return .refuse(SourceFailure(.notFound, "OpenAI does not know it: \(text)"))
        // It has not looked at the request: asking again makes nothing twice.
        case 429: return .retry(SourceFailure(.throttled, "OpenAI asks to slow down: \(text)"))
        case 408, 500...: return doubtful(SourceFailure(.unavailable, "OpenAI has an error: \(text)"), isRepeatable)
        case 300..<400:
            return .refuse(SourceFailure(.refused, "redirects are not followed; correct the base address (\(text))"))
        default: return .refuse(SourceFailure(.refused, "OpenAI refuses the request: \(text)"))
        }
    }

    /// It may have done what it was asked for.
    private static func doubtful(
        _ failure: SourceFailure, _ isRepeatable: Bool
    ) -> Verdict<JSONValue, SourceFailure> {
        isRepeatable ? .retry(failure) : .refuse(failure)
    }
}

extension AnswerReader {
    /// A text that must be there.
    fileprivate func needed(_ name: String) throws(SourceFailure) -> String {
        guard let text = try text(name), !text.isEmpty else { throw malformed(name, "is missing") }
        return text
    }
}
