/// To whom a cost belongs.
package struct Owner: Hashable, Sendable {
    package let team: String
    package let project: String

    package init(team: String, project: String) {
        self.team = team
        self.project = project
    }
}

/// What a mapping speaks about, at one provider: a key, or a whole project of the provider's. The key's own mapping wins.
package enum AttributionSubject: Hashable, Sendable {
    /// By the provider's id of it.
    case key(String)
    /// By the provider's id of it.
    case providerProject(String)

    /// The provider's own id of the key or project.
    package var id: String {
        switch self {
        case .key(let id), .providerProject(let id): id
        }
    }

    /// The name by which an attributed row says what made it.
    package var rule: String {
        switch self {
        case .key: "key"
        case .providerProject: "provider-project"
        }
    }
}
