import ArgumentParser
import FinOps

/// Whose costs a command is about.
struct ScopeOptions: ParsableArguments {
    @Option(help: "The project whose costs are meant.") var project: String?
    @Option(help: "The team whose costs are meant.") var team: String?
    @Flag(help: "The whole organisation, costs that no project claims included.") var organisation = false

    func validate() throws {
        let count = [project != nil, team != nil, organisation].count { $0 }
        guard count == 1 else { throw ValidationError("give one of --project, --team and --organisation") }
    }

    /// - Throws: `CommandFailure` with `usage` for what is no name.
    var scope: CostScope {
        get throws {
            if let project { return .project(try givenName(project, field: "--project").text) }
            if let team { return .team(try givenName(team, field: "--team").text) }
            return .organisation
        }
    }
}
