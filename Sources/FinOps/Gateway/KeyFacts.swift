/// What a key is for and what it may do. It changes never: another project needs another key.
package struct KeyFacts: Hashable, Sendable {
    package let id: String
    package let project: String
    package let name: String
    /// Of the value in use.
    package let prefix: String
    /// Unix seconds, exclusive; nil for never.
    package let expires: Int64?
    /// 0: no limit.
    package let requestsPerMinute: UInt32
    /// 0: no limit.
    package let tokensPerMinute: UInt32
    /// Whether it may do only so much a minute.
    package var isPaced: Bool { requestsPerMinute > 0 || tokensPerMinute > 0 }
    private let models: [NameRule]
    private let routes: [NameRule]

    init(_ issued: WireKeyIssued, prefix: String) {
        id = issued.key
        project = issued.project
        name = issued.name
        self.prefix = prefix
        expires = issued.hasExpires ? issued.expires : nil
        requestsPerMinute = issued.requestsPerMinute
        tokensPerMinute = issued.tokensPerMinute
        models = issued.models.map(NameRule.init)
        routes = issued.routes.map(NameRule.init)
    }

    /// Whether it may ask for a model; one that is allowed by its plain name is so with a date behind it, too, as in the
    /// price catalogue.
    package func allows(model: String) -> Bool {
        if models.isEmpty { return true }
        if models.contains(where: { $0.matches(model) }) { return true }
        guard let plain = ModelSuffix.dropped(from: model) else { return false }
        return models.contains { $0.matches(plain) }
    }

    /// - Parameter route: as routes are named, such as `/v1/chat/completions`.
    package func allows(route: String) -> Bool {
        routes.isEmpty || routes.contains { $0.matches(route) }
    }

    /// Whether one entry of a key's lists, a name or a pattern of names, means a name.
    package static func entry(_ entry: String, means name: String) -> Bool { NameRule(entry).matches(name) }
}

/// A name, or a pattern of names.
private enum NameRule: Hashable, Sendable {
    case plain(String)
    case pattern(ModelPattern)

    init(_ text: String) { self = ModelPattern(text).map { .pattern($0) } ?? .plain(text) }

    func matches(_ name: String) -> Bool {
        switch self {
        case .plain(let plain): plain == name
        case .pattern(let pattern): pattern.matches(name)
        }
    }
}

/// What the gateway says to a key that is presented.
package enum KeyAnswer: Hashable, Sendable {
    case accepted(KeyFacts)
    case refused(KeyRefusal)
}

/// Why a key is not let through.
package enum KeyRefusal: Hashable, Sendable {
    /// Nobody issued it.
    case unknown
    /// A rotation replaced this value, and its grace is over.
    case replaced(KeyFacts)
    case expired(KeyFacts)
    /// With what was said when it was disabled.
    case disabled(KeyFacts, reason: String)
}

/// What the gateway calls.
package struct UpstreamFacts: Hashable, Codable, Sendable {
    package let name: String
    package let provider: UpstreamRegister.Provider
    /// What stands before `/chat/completions`, `/messages` …; without a slash at the end.
    package let baseURL: String
    /// Of the vault.
    package let secretID: String
    package let secretVersion: UInt32
    /// Whose bill its calls are on.
    package let account: String
    package let providerKeyID: String?
    package let providerProjectID: String?
    /// By model.
    package let deployments: [String: String]
    /// The only one whose calls it serves; nil for any.
    package let project: String?

    /// - Returns: nil for a provider that this program does not know.
    init?(_ event: WireUpstreamSet) {
        guard let provider = UpstreamRegister.Provider(rawValue: event.provider) else { return nil }
        name = event.name
        self.provider = provider
        baseURL = event.baseURL
        secretID = event.secretID
        secretVersion = event.secretVersion
        account = event.account
        providerKeyID = event.hasProviderKeyID ? event.providerKeyID : nil
        providerProjectID = event.hasProviderProjectID ? event.providerProjectID : nil
        deployments = Dictionary(event.deployments.map { ($0.model, $0.deployment) }, uniquingKeysWith: { $1 })
        project = event.project.isEmpty ? nil : event.project
    }
}
