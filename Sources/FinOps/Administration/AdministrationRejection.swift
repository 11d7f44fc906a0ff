/// Why an administration command is refused: what does not exist or does not agree, and what to do instead.
package enum AdministrationRejection: Error, Hashable, Sendable {
    /// `known` are all teams there are, for the message.
    case unknownTeam(String, known: [String])
    /// `known` are all projects there are, for the message.
    case unknownProject(String, known: [String])
    /// The project belongs to another team, which is `team`: it has to be moved, not added.
    case projectBelongsElsewhere(project: String, team: String)
    case unknownConnection(provider: String, account: String)
    /// Nothing of this position was ever put aside by that stage.
    case notParked(stage: String, position: UInt64)
}

extension AdministrationRejection: CustomStringConvertible {
    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .unknownTeam(let team, let known):
            "there is no team \"\(team)\"\(Self.listed(known)): add it with `finops team add`"
        case .unknownProject(let project, let known):
            "there is no project \"\(project)\"\(Self.listed(known)): add it with `finops project add`"
        case .projectBelongsElsewhere(let project, let team):
            "project \"\(project)\" belongs to team \"\(team)\": move it with `finops project move`"
        case .unknownConnection(let provider, let account):
            "there is no connection \"\(account)\" to \(provider): `finops connect list` shows which there are"
        case .notParked(let stage, let position):
            "\(stage) has parked no event at position \(position): `finops dead-letters list` shows which it has"
        }
    }

    private static let shownNames = 8

    private static func listed(_ names: [String]) -> String {
        guard !names.isEmpty else { return "" }
        let shown = names.prefix(shownNames).joined(separator: ", ")
        return " (there are: \(shown)\(names.count > shownNames ? ", …" : ""))"
    }
}
