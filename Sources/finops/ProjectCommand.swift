import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// Projects: what a team spends on, and what a provider's own project pays for.
struct ProjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Adds, moves, maps, provisions and lists projects.",
        subcommands: [Add.self, Move.self, Map.self, Provision.self, Deprovision.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a project to a team.", discussion: "Example: finops project add chatbot --team search")

        @Argument(help: "The project's name.") var project: String
        @Option(help: "The team it belongs to.") var team: String
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let project = try givenName(project, field: "project")
            let team = try givenName(team, field: "--team")
            let answer = try await AdministrationSession.run(options.global) { session in
                let teams = try await session.store.fold(.teams, with: TeamRegister.self).state
                let events = try await session.decide(
                    ProjectRegister.self, on: .projects,
                    .add(project, team: team, teams: Set(teams.keys), reason: options.reason))
                return Answer(
                    changed: !events.isEmpty, "project \"\(project)\" belongs to team \"\(team)\"",
                    [.init("project", .string(project.text)), .init("team", .string(team.text))])
            }
            try answer.print(options.global)
        }
    }

    struct Move: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a project to another team.",
            discussion: """
                Costs before the first day stay with the team that had it. Without --from it is today.
                Example: finops project move chatbot --team support --from 2026-11-01
                """)

        @Argument(help: "The project's name.") var project: String
        @Option(help: "The team it belongs to from then on.") var team: String
        @Option(help: StartDay.help) var from: StartDay?
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let project = try givenName(project, field: "project")
            let team = try givenName(team, field: "--team")
            let answer = try await AdministrationSession.run(options.global) { session in
                let teams = try await session.store.fold(.teams, with: TeamRegister.self).state
                let start = from.map(session.instant(of:)) ?? session.startOfToday
                let events = try await session.decide(
                    ProjectRegister.self, on: .projects,
                    .move(project, team: team, from: start, teams: Set(teams.keys), reason: options.reason))
                return Answer(
                    changed: !events.isEmpty,
                    "project \"\(project)\" belongs to team \"\(team)\" \(session.since(start))",
                    [
                        .init("project", .string(project.text)), .init("team", .string(team.text)),
                        .init("from", JSONValue(session.day(start))),
                    ])
            }
            try answer.print(options.global)
        }
    }

    struct Map: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says which project everything in a provider's own project pays for.",
            discussion: """
                A key's own mapping wins. Without --from it holds from the beginning for what was never mapped, else from today.
                Example: finops project map --provider openai --provider-project-id proj_abc --project chatbot
                """)

        @Option(name: .customLong("provider-project-id"), help: "The provider's id of its project.") var id: String
        @OptionGroup var change: MappingChange

        func run() async throws {
            try await change.apply(to: .providerProject(try providerID(id, option: "--provider-project-id")))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the projects, their teams and what maps to them.",
            discussion: "Example: finops project list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let log: some EventReader = .local(of: try options.initialisedDirectory())
            let projects = try await log.fold(.projects, with: ProjectRegister.self).state
            var subjects: [String: (keys: Int, projects: Int)] = [:]
            for provider in Provider.allCases {
                let stream = StreamName.mapping(provider: provider.rawValue)
                for (subject, choice) in try await log.fold(stream, with: MappingRegister.self).state {
                    guard let project = choice.latest else { continue }
                    switch subject {
                    case .key: subjects[project, default: (0, 0)].keys += 1
                    case .providerProject: subjects[project, default: (0, 0)].projects += 1
                    }
                }
            }
            var table = Table([
                .init("project"), .init("team"), .init("keys", .right),
                .init("provider_projects", title: "provider projects", .right),
            ])
            for (project, choice) in projects.sorted(by: { $0.key < $1.key }) {
                let mapped = subjects[project] ?? (0, 0)
                table.rows.append([
                    .string(project), JSONValue(choice.latest), .integer(mapped.keys), .integer(mapped.projects),
                ])
            }
            try table.write(options.json ? .json : .table)
        }
    }
}
