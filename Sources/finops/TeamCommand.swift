import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Vault

/// Teams: who costs belong to.
struct TeamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "team", abstract: "Adds and lists teams.", subcommands: [Add.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a team, or states its owner or budget anew.",
            discussion: "Example: finops team add search --owner \"Kim\" --budget 12000")

        @Argument(help: "The team's name.") var team: String
        @Option(help: "Name of the person who answers for its costs; kept encrypted.") var owner: String?
        @Option(help: "Budget per month in USD, such as 12000 or 1500.50.") var budget: String?
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let name = try givenName(team, field: "team")
            let owner = try owner.map { try givenName($0, field: "--owner").text }
            let budget = try budget.map(Self.money)
            let answer = try await AdministrationSession.run(options.global) { session in
                let person: Person? =
                    if let owner { try await Self.person(owner, options.global, at: session.now) } else { nil }
                let events = try await session.decide(
                    TeamRegister.self, on: .teams,
                    .init(team: name, owner: person?.id, budget: budget, reason: options.reason))
                return Answer(
                    changed: !events.isEmpty, "team \"\(name)\" is in the directory",
                    [.init("team", .string(name.text))])
            }
            try answer.print(options.global)
        }

        private static func money(_ text: String) throws -> Money {
            guard let nanos = (try? DecimalText(text))?.nanos, nanos >= 0 else {  // The message says what is expected.
                throw CommandFailure(.usage, "--budget is not an amount: write decimal USD, such as 12000 or 1500.50")
            }
            return Money(nanos: nanos, currency: .usd)
        }

        /// The person of that name, added to the vault if it knows none.
        private static func person(_ name: String, _ options: GlobalOptions, at now: Timestamp) async throws -> Person {
            let vault = try SecretStore.local(of: try options.initialisedDirectory())
            if let known = try await Person.all(in: vault).first(where: { $0.name == name }) { return known }
            return try await Person.add(name: name, to: vault, at: now.seconds)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the teams with owner, budget and projects.",
            discussion: "Example: finops team list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let log: some EventReader = .local(of: directory)
            let teams = try await log.fold(.teams, with: TeamRegister.self).state
            let projects = try await log.fold(.projects, with: ProjectRegister.self).state
            let vault = try SecretStore.local(of: directory)
            var table = Table([
                .init("team"), .init("owner"), .init("budget", .right), .init("budget_currency", title: "currency"),
                .init("projects", .right),
            ])
            for team in teams.values.sorted(by: { $0.team < $1.team }) {
                let owner = team.owner.isEmpty ? nil : try await Person.find(id: team.owner, in: vault)?.name
                table.rows.append([
                    .string(team.team), JSONValue(owner ?? (team.owner.isEmpty ? nil : team.owner)),
                    team.hasBudget ? .string(NanoText.text(Int128(team.budget.nanos))) : .null,
                    team.hasBudget ? .string(team.budget.currency) : .null,
                    .integer(projects.values.count { $0.latest == team.team }),
                ])
            }
            try table.write(options.json ? .json : .table)
        }
    }
}
