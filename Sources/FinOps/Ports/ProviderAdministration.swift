package import Secret

/// A provider's own projects, service accounts and keys, as somebody with its admin key may change them.
///
/// What changes nothing a second time (deleting, archiving, setting) is repeated by the implementation where no answer came.
/// What makes something is not: whoever asked looks first whether it is there, since the answer alone may be lost.
package protocol ProviderAdministration: Sendable {
    /// Projects of exactly that name, archived ones included, the oldest first.
    func projects(named name: String) async throws(SourceFailure) -> [ProviderProject]
    func createProject(named name: String) async throws(SourceFailure) -> ProviderProject
    /// Final: everything in it stops for ever.
    /// - Returns: false if there is no such project.
    func archiveProject(_ id: String) async throws(SourceFailure) -> Bool

    /// All of a project.
    func serviceAccounts(of project: String) async throws(SourceFailure) -> [ProviderServiceAccount]
    func createServiceAccount(
        named name: String, in project: String
    ) async throws(SourceFailure) -> NewServiceAccount
    /// Its keys die with it.
    /// - Returns: false if there is no such account.
    func deleteServiceAccount(_ id: String, of project: String) async throws(SourceFailure) -> Bool

    /// All of a project, of people and of service accounts.
    func keys(of project: String) async throws(SourceFailure) -> [ProviderKey]
    /// - Returns: false if there is no such key.
    func deleteKey(_ id: String, of project: String) async throws(SourceFailure) -> Bool

    /// US cents a month; nil where none is set, or the provider has no such limit.
    func spendLimit(of project: String) async throws(SourceFailure) -> Int64?
    /// - Returns: false if the provider has no such limit, or no such project.
    func setSpendLimit(cents: Int64, of project: String) async throws(SourceFailure) -> Bool

    /// One for each model that has any.
    func rateLimits(of project: String) async throws(SourceFailure) -> [ProviderRateLimit]
    /// Sets requests and tokens a minute to the least there is.
    func setLeast(_ limit: ProviderRateLimit, of project: String) async throws(SourceFailure)
}

/// A provider's project.
package struct ProviderProject: Hashable, Sendable {
    package let id: String
    package let name: String
    package let isArchived: Bool
    /// Unix seconds.
    package let created: Int64

    package init(id: String, name: String, isArchived: Bool = false, created: Int64 = 0) {
        self.id = id
        self.name = name
        self.isArchived = isArchived
        self.created = created
    }
}

/// A member of a provider's project that is no person.
package struct ProviderServiceAccount: Hashable, Sendable {
    package let id: String
    package let name: String

    package init(id: String, name: String) {
        self.id = id
        self.name = name
    }
}

/// A service account that was just made, with the key that its provider shows this once.
package struct NewServiceAccount: Sendable {
    package let id: String
    /// Of its key, by which the key can be deleted.
    package let keyID: String
    package let key: Secret

    package init(id: String, keyID: String, key: Secret) {
        self.id = id
        self.keyID = keyID
        self.key = key
    }
}

/// A key of a provider's project, without the key itself.
package struct ProviderKey: Hashable, Sendable {
    package let id: String
    package let name: String
    /// nil for a person's.
    package let serviceAccount: String?

    package init(id: String, name: String, serviceAccount: String?) {
        self.id = id
        self.name = name
        self.serviceAccount = serviceAccount
    }
}

/// What a provider's project may ask of one model in a minute.
package struct ProviderRateLimit: Hashable, Sendable {
    /// The provider's, by which it is set.
    package let id: String
    package let model: String
    /// A minute; so are the tokens.
    package let requests: Int64
    package let tokens: Int64

    package init(id: String, model: String, requests: Int64, tokens: Int64) {
        self.id = id
        self.model = model
        self.requests = requests
        self.tokens = tokens
    }
}

extension SourceFailure {
    /// Whether what was asked for may have been done although the answer is not there to say so.
    package var leavesDoubt: Bool {
        switch kind {
        case .throttled, .unreachable, .unavailable, .malformedAnswer, .answerTooLarge, .cancelled: true
        case .notAuthorised, .misconfigured, .refused, .notFound, .abandoned: false
        }
    }
}
