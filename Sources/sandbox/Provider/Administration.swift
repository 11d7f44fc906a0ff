import Foundation
import JSON

/// The organisation's projects, service accounts, keys and limits as its administrators change them. It begins with those
/// of the trace, and forgets everything else when it ends. An actor: each change is whole, and calls see it at once.
actor Administration {
    struct Project {
        let id: String
        let name: String
        let created: Int64
        var archived: Int64?
        /// US cents a month.
        var spendLimit: Int64?
        /// By model: requests and tokens a minute.
        var rates: [String: (requests: Int64, tokens: Int64)] = [
            "gpt-4o": (500, 30_000), "gpt-4o-mini": (600, 150_000),
        ]
        /// US cents: each call with one of its keys costs one here.
        var spent: Int64 = 0
        /// Of its calls in the running minute.
        var minute: (number: Int64, calls: [String: Int64]) = (0, [:])
    }

    struct Account {
        let id: String
        let name: String
        let project: String
        let created: Int64
    }

    struct Key {
        let id: String
        let name: String
        let project: String
        let account: Account
        let created: Int64
        /// nil for one of the trace, which nobody calls with.
        var value: String?
    }

    private(set) var projects: [Project]
    private(set) var accounts: [Account]
    private(set) var keys: [Key]
    private var made = 0
    private static let minuteSeconds: Int64 = 60
    /// What every key of a service account begins with that was made here.
    static let keyPrefix = "sk-svcacct-"

    init(created: Int64) {
        projects = Organization.projects.map {
            Project(id: $0, name: String($0.dropFirst("proj_".count)), created: created)
        }
        let keys = Organization.keys.map { key in
            Key(
                id: key.id, name: key.name, project: key.project,
                account: Account(id: "svc_acct_" + key.name, name: key.name, project: key.project, created: created),
                created: created)
        }
        self.keys = keys
        accounts = keys.map(\.account)
    }

    /// Answers one request whose path is below `/v1/organization/projects`.
    /// - Parameter parts: what stands behind that.
    /// - Returns: nil for what there is not.
    func answer(
        _ method: String, _ parts: [String], _ body: JSONValue, _ query: PageOfList, now: Int64
    ) throws(ProviderRefusal) -> ProviderAnswer? {
        guard let id = parts.first else {
            switch method {
            case "GET":
                let shown = projects.filter { query.includesArchived || $0.archived == nil }
                return query.page(shown.map { ($0.id, $0.json) })
            case "POST": return try create(body, now)
            default: return nil
            }
        }
        guard let place = projects.firstIndex(where: { $0.id == id }) else { throw .notFound("The project \(id)") }
        switch (method, parts.dropFirst().first, parts.count) {
        case ("GET", nil, _): return ProviderAnswer(projects[place].json)
        case ("POST", "archive", 2):
            projects[place].archived = projects[place].archived ?? now
            return ProviderAnswer(projects[place].json)
        case (_, "service_accounts", _):
            return try serviceAccounts(method, Array(parts.dropFirst(2)), place, body, query, now)
        case (_, "api_keys", _): return try apiKeys(method, Array(parts.dropFirst(2)), place, query)
        case (_, "spend_limit", 2): return try spendLimit(method, place, body)
        case (_, "rate_limits", _): return try rateLimits(method, Array(parts.dropFirst(2)), place, body, query)
        default: return nil
        }
    }

    private func create(_ body: JSONValue, _ now: Int64) throws(ProviderRefusal) -> ProviderAnswer {
        guard let name = body["name"]?.string, !name.isEmpty else {
            throw .badParameter("name", "Missing required parameter: 'name'.")
        }
        made += 1
        // Names are no identities there: the same one again is another project.
        projects.append(Project(id: "proj_sandbox\(made)", name: name, created: now))
        return ProviderAnswer(projects[projects.count - 1].json)
    }

    // MARK: Service accounts and keys

    private func serviceAccounts(
        _ method: String, _ rest: [String], _ place: Int, _ body: JSONValue, _ query: PageOfList, _ now: Int64
    ) throws(ProviderRefusal) -> ProviderAnswer? {
        let project = projects[place]
        switch (method, rest.count) {
        case ("GET", 0):
            return query.page(accounts.filter { $0.project == project.id }.map { ($0.id, $0.json) })
        case ("POST", 0):
            guard project.archived == nil else { throw .unwrapped(400, "Project is archived") }
            guard let name = body["name"]?.string, !name.isEmpty else {
                throw .badParameter("name", "Missing required parameter: 'name'.")
            }
            return newAccount(name, in: project.id, now)
        case ("DELETE", 1):
            guard let account = accounts.first(where: { $0.id == rest[0] && $0.project == project.id }) else {
                throw .notFound("The service account \(rest[0])")
            }
            accounts.removeAll { $0.id == account.id }
            keys.removeAll { $0.account.id == account.id }
            return .deleted("organization.project.service_account.deleted", account.id)
        default: return nil
        }
    }

    private func newAccount(_ name: String, in project: String, _ now: Int64) -> ProviderAnswer {
        made += 1
        let account = Account(id: "svc_acct_sandbox\(made)", name: name, project: project, created: now)
        let value = Self.keyPrefix + "sandbox" + UUID().uuidString.filter { $0 != "-" }
        let key = Key(
            id: "key_sandbox\(made)", name: "Secret Key", project: project, account: account, created: now, value: value
        )
        accounts.append(account)
        keys.append(key)
        let shown: JSONValue = [
            "object": "organization.project.service_account.api_key", "value": .string(value),
            "name": .string(key.name), "created_at": .integer(now), "id": .string(key.id),
        ]
        return ProviderAnswer(.object((account.json.members ?? []) + [.init("api_key", shown)]))
    }

    private func apiKeys(
        _ method: String, _ rest: [String], _ place: Int, _ query: PageOfList
    ) throws(ProviderRefusal) -> ProviderAnswer? {
        let project = projects[place].id
        if method == "GET", rest.isEmpty {
            return query.page(keys.filter { $0.project == project }.map { ($0.id, $0.json) })
        }
        guard rest.count == 1 else { return nil }
        guard let key = keys.first(where: { $0.id == rest[0] && $0.project == project }) else {
            throw .notFound("The API key \(rest[0])")
        }
        switch method {
        case "GET": return ProviderAnswer(key.json)
        case "DELETE":
            keys.removeAll { $0.id == key.id }
            return .deleted("organization.project.api_key.deleted", key.id)
        default: return nil
        }
    }

    // MARK: Limits

    private func spendLimit(
        _ method: String, _ place: Int, _ body: JSONValue
    ) throws(ProviderRefusal) -> ProviderAnswer? {
        switch method {
        case "GET": break
        case "POST":
            guard let cents = body["threshold_amount"]?.integer, cents >= 1, body["currency"] == "USD",
                body["interval"] == "month"
            else { throw .badParameter("threshold_amount", "Invalid spend limit.") }
            projects[place].spendLimit = cents
        case "DELETE":
            guard projects[place].spendLimit != nil else { throw .notFound("The spend limit") }
            projects[place].spendLimit = nil
            return ProviderAnswer(["object": "project.spend_limit.deleted", "deleted": true])
        default: return nil
        }
        guard let cents = projects[place].spendLimit else { throw .notFound("The spend limit") }
        return ProviderAnswer([
            "object": "project.spend_limit", "threshold_amount": .integer(cents), "currency": "USD",
            "interval": "month",
            "enforcement": ["status": projects[place].spent >= cents ? "enforcing" : "inactive"],
        ])
    }

    private func rateLimits(
        _ method: String, _ rest: [String], _ place: Int, _ body: JSONValue, _ query: PageOfList
    ) throws(ProviderRefusal) -> ProviderAnswer? {
        let rates = projects[place].rates
        func json(_ model: String) -> JSONValue {
            [
                "object": "project.rate_limit", "id": .string("rl-\(model)"), "model": .string(model),
                "max_requests_per_1_minute": .integer(projects[place].rates[model]?.requests ?? 0),
                "max_tokens_per_1_minute": .integer(projects[place].rates[model]?.tokens ?? 0),
            ]
        }
        if method == "GET", rest.isEmpty { return query.page(rates.keys.sorted().map { ("rl-\($0)", json($0)) }) }
        guard method == "POST", rest.count == 1 else { return nil }
        let model = String(rest[0].dropFirst("rl-".count))
        guard let now = rates[model] else { throw .notFound("The rate limit \(rest[0])") }
        projects[place].rates[model] = (
            body["max_requests_per_1_minute"]?.integer ?? now.requests,
            body["max_tokens_per_1_minute"]?.integer ?? now.tokens
        )
        return ProviderAnswer(json(model))
    }

    // MARK: Calls

    /// The key of the organisation that a call came with.
    func key(ofValue value: String) -> APIKey {
        keys.first { $0.value == value }.map { APIKey(id: $0.id, name: $0.name, project: $0.project) }
            ?? Organization.anyKey
    }

    /// What a call with a key meets: only keys that were made here are known, others pass.
    func admit(_ value: String, model: String, now: Int64) throws(ProviderRefusal) {
        guard value.hasPrefix(Self.keyPrefix) else { return }
        guard let key = keys.first(where: { $0.value == value }),
            let place = projects.firstIndex(where: { $0.id == key.project && $0.archived == nil })
        else { throw .incorrect(key: String(value.prefix(14)) + "****") }
        if let limit = projects[place].spendLimit, projects[place].spent >= limit {
            throw .object(
                429, "You have reached the spend limit of your project.", type: "insufficient_quota",
                code: "insufficient_quota")
        }
        let minute = now / Self.minuteSeconds
        if projects[place].minute.number != minute { projects[place].minute = (minute, [:]) }
        if let limit = projects[place].rates[model]?.requests,
            projects[place].minute.calls[model, default: 0] >= limit
        {
            throw .tooManyRequests(retryAfter: Int(Self.minuteSeconds - now % Self.minuteSeconds))
        }
        projects[place].minute.calls[model, default: 0] += 1
        projects[place].spent += 1
    }
}

/// Which part of a list is asked for.
struct PageOfList {
    let after: String?
    let limit: Int
    var includesArchived = false

    func page(_ items: [(id: String, value: JSONValue)]) -> ProviderAnswer {
        let from = after.flatMap { id in items.firstIndex { $0.id == id } }.map { $0 + 1 } ?? 0
        let page = items[from...].prefix(limit)
        return ProviderAnswer([
            "object": "list", "data": .array(page.map(\.value)), "first_id": JSONValue(page.first?.id),
            "last_id": JSONValue(page.last?.id), "has_more": .bool(page.endIndex < items.endIndex),
        ])
    }
}

extension Administration.Project {
    var json: JSONValue {
        [
            "id": .string(id), "object": "organization.project", "name": .string(name), "created_at": .integer(created),
            "archived_at": archived.map { .integer($0) } ?? .null, "status": archived == nil ? "active" : "archived",
        ]
    }
}

extension Administration.Account {
    var json: JSONValue {
        [
            "object": "organization.project.service_account", "id": .string(id), "name": .string(name),
            "role": "member", "created_at": .integer(created),
        ]
    }
}

extension Administration.Key {
    var json: JSONValue {
        [
            "object": "organization.project.api_key",
            "redacted_value": .string(value.map { "sk-svcacct-***\($0.suffix(4))" } ?? "sk-proj-***0000"),
            "name": .string(name), "created_at": .integer(created), "last_used_at": nil, "id": .string(id),
            "owner_project_access": "active",
            "owner": ["type": "service_account", "service_account": account.json],
        ]
    }
}

extension ProviderAnswer {
    fileprivate static func deleted(_ object: String, _ id: String) -> ProviderAnswer {
        ProviderAnswer(["object": .string(object), "id": .string(id), "deleted": true])
    }
}

extension ProviderRefusal {
    /// As the specification's samples have it, without `error`.
    static func unwrapped(_ status: Int, _ message: String) -> ProviderRefusal {
        ProviderRefusal(status: status, body: ["code": .integer(status), "message": .string(message)])
    }
}
