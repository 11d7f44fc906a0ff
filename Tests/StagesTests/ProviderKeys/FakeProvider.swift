import FinOps
import Secret

/// The machine dies here.
struct Crash: Error {}

/// Counts what happens, and ends the run after one of the happenings: the deed is done, and nobody hears of it.
actor Fate {
    private var left: Int?

    /// - Parameter deeds: how many come through; nil for all.
    init(after deeds: Int? = nil) { left = deeds }

    /// Called behind each deed.
    func strike() throws {
        guard let rest = left else { return }
        guard rest > 0 else { throw Crash() }
        left = rest - 1
    }
}

/// An organisation in memory: names are no identities, and what is made stays when its answer is lost.
actor FakeProvider: ProviderAdministration {
    struct Account: Hashable {
        let id: String
        let name: String
        let project: String
        let keyID: String
        let key: String
    }

    private(set) var projects: [ProviderProject] = []
    private(set) var accounts: [Account] = []
    /// Ids of keys that were deleted without their accounts.
    private(set) var deletedKeys: Set<String> = []
    private(set) var limits: [String: Int64] = [:]
    private(set) var slowed: [String] = []
    private(set) var asked: [String] = []
    private var made = 0
    /// By the name of the call: refusals that come instead of the deed, or instead of its answer.
    private var scripts: [String: [Script]] = [:]
    private var fate = Fate()
    private let hasSpendLimits: Bool

    enum Script { case refused(SourceFailure), answerLost(SourceFailure) }

    init(hasSpendLimits: Bool = true) { self.hasSpendLimits = hasSpendLimits }

    func meet(_ fate: Fate) { self.fate = fate }
    func expect(_ call: String, _ scripts: Script...) { self.scripts[call] = scripts }

    func give(_ account: Account, in project: ProviderProject) {
        if !projects.contains(project) { projects.append(project) }
        accounts.append(account)
    }

    /// Keys that still open something.
    var workingKeys: [String] {
        let active = Set(projects.filter { !$0.isArchived }.map(\.id))
        return accounts.filter { active.contains($0.project) && !deletedKeys.contains($0.keyID) }.map(\.key)
    }

    /// The deed, unless a script refuses it; its answer, unless it is lost.
    private func call<Answer: Sendable>(
        _ name: String, _ deed: () -> Answer
    ) async throws(SourceFailure) -> Answer {
        asked.append(name)
        let script = scripts[name]?.isEmpty == false ? scripts[name]?.removeFirst() : nil
        if case .refused(let failure) = script { throw failure }
        let answer = deed()
        do { try await fate.strike() } catch { throw SourceFailure(.abandoned, "the machine died") }
        if case .answerLost(let failure) = script { throw failure }
        return answer
    }

    func projects(named name: String) async throws(SourceFailure) -> [ProviderProject] {
        try await call("projects") { projects.filter { $0.name == name } }
    }

    func createProject(named name: String) async throws(SourceFailure) -> ProviderProject {
        try await call("createProject") {
            made += 1
            projects.append(ProviderProject(id: "proj_\(made)", name: name, created: Int64(made)))
            return projects[projects.count - 1]
        }
    }

    func archiveProject(_ id: String) async throws(SourceFailure) -> Bool {
        try await call("archiveProject") {
            guard let place = projects.firstIndex(where: { $0.id == id }) else { return false }
            projects[place] = ProviderProject(id: id, name: projects[place].name, isArchived: true)
            return true
        }
    }

    func serviceAccounts(of project: String) async throws(SourceFailure) -> [ProviderServiceAccount] {
        try await call("serviceAccounts") {
            accounts.filter { $0.project == project }.map { ProviderServiceAccount(id: $0.id, name: $0.name) }
        }
    }

    func createServiceAccount(
        named name: String, in project: String
    ) async throws(SourceFailure) -> NewServiceAccount {
        try await call("createServiceAccount") {
            made += 1
            let account = Account(
                id: "svc_\(made)", name: name, project: project, keyID: "key_\(made)", key: "sk-svcacct-\(made)")
            accounts.append(account)
            return NewServiceAccount(id: account.id, keyID: account.keyID, key: Secret(Array(account.key.utf8)))
        }
    }

    func deleteServiceAccount(_ id: String, of project: String) async throws(SourceFailure) -> Bool {
        try await call("deleteServiceAccount") {
            defer { accounts.removeAll { $0.id == id } }
            return accounts.contains { $0.id == id }
        }
    }

    func keys(of project: String) async throws(SourceFailure) -> [ProviderKey] {
        try await call("keys") {
            accounts.filter { $0.project == project && !deletedKeys.contains($0.keyID) }.map {
                ProviderKey(id: $0.keyID, name: "Secret Key", serviceAccount: $0.id)
            }
        }
    }

    func deleteKey(_ id: String, of project: String) async throws(SourceFailure) -> Bool {
        try await call("deleteKey") {
            accounts.contains { $0.keyID == id } && deletedKeys.insert(id).inserted
        }
    }

    func spendLimit(of project: String) async throws(SourceFailure) -> Int64? {
        try await call("spendLimit") { limits[project] }
    }

    func setSpendLimit(cents: Int64, of project: String) async throws(SourceFailure) -> Bool {
        try await call("setSpendLimit") {
            if hasSpendLimits { limits[project] = cents }
            return hasSpendLimits
        }
    }

    func rateLimits(of project: String) async throws(SourceFailure) -> [ProviderRateLimit] {
        try await call("rateLimits") {
            [
                ProviderRateLimit(id: "rl-a", model: "a", requests: 600, tokens: 150_000),
                ProviderRateLimit(id: "rl-b", model: "b", requests: 60, tokens: 15_000),
            ]
        }
    }

    func setLeast(_ limit: ProviderRateLimit, of project: String) async throws(SourceFailure) {
        try await call("setLeast") { slowed.append(limit.model) }
    }
}
