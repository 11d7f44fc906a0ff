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
    /// No such message was ever given up.
    case notAbandoned(destination: String, notification: String)
    /// It was retried or skipped before.
    case alreadyAnswered(destination: String, notification: String, DeadLetterBox.Letter.State)
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
        case .notAbandoned(let destination, let notification):
            "no message \(destination)/\(notification) was given up: `finops dead-letters list` shows which were"
        case .alreadyAnswered(let destination, let notification, let answer):
            "the message \(destination)/\(notification) was \(answer.rawValue) before: `finops dead-letters list --all` shows why"
        }
    }

    private static let shownNames = 8

    private static func listed(_ names: [String]) -> String {
        guard !names.isEmpty else { return "" }
        let shown = names.prefix(shownNames).joined(separator: ", ")
        return " (there are: \(shown)\(names.count > shownNames ? ", …" : ""))"
    }
}
