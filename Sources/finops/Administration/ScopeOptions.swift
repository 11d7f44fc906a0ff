import ArgumentParser
import FinOps

/// Whose costs a command is about.
struct ScopeOptions: ParsableArguments {
    @Option(help: "A project.") var project: String?
    @Option(help: "A team.") var team: String?
    @Flag(help: "The whole organisation.") var organisation = false

    func validate() throws {
        let count = [project != nil, team != nil, organisation].count { $0 }
        guard count == 1 else { throw ValidationError("give one of --project, --team and --organisation") }
    }

    /// - Throws: `CommandFailure` with `usage` for what is no name.
    func scope() throws -> CostScope {
        if let project { return .project(try givenName(project, field: "--project").text) }
        if let team { return .team(try givenName(team, field: "--team").text) }
        return .organisation
    }
}
