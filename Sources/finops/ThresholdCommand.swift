import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import JSON
import Runtime

/// Limits on what a project, a team or the organisation may cost in a day and a week.
struct ThresholdCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "threshold", abstract: "Sets, removes and lists limits on costs.",
        subcommands: [Set.self, Remove.self, List.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Limits what a project, a team or the organisation may cost.",
            discussion: """
                Days and weeks (from Monday) are those of the zone. Each level, in per cent of the limit, is told once \
                per window; what is set counts whole, in place of what was set before. What it would have found so \
                far: threshold-watcher dry-run. With --policy block the gateway refuses calls beyond the limit until \
                the next window; with disable-keys it does so too, and the keys of the scope are disabled until an \
                administrator approves them again (finops key reactivate). Examples:
                  finops threshold set --project chatbot --daily 10.00 --weekly 50.00
                  finops threshold set --project chatbot --daily 5.00 --policy block
                  finops threshold set --organisation --weekly 2000 --levels 50,80,100 --zone Asia/Seoul
                """)

        @OptionGroup var scope: ScopeOptions
        @Option(help: "Most a day may cost, in the reporting currency, such as 10.00.") var daily: String?
        @Option(help: "Most a week may cost, in the reporting currency.") var weekly: String?
        @Option(help: "Per cents of the limit at which it is told.") var levels = ThresholdText.usualLevels
        @Option(help: "The zone of the days and weeks, such as Asia/Seoul; the business zone if left out.")
        var zone: String?
        @Option(help: "What becomes of calls beyond the limit: alert (nothing), block or disable-keys.")
        var policy = ThresholdPolicy.alert
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let scope = try scope.scope
            let currency = try Currency.reporting(in: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global) { session in
                let text = ThresholdText(
                    scope: scope, daily: daily, weekly: weekly, levels: levels,
                    zone: zone ?? session.calendar.zone.identifier, policy: policy)
                let statement = try Self.statement(text, in: currency, reason: options.reason)
                let projects = try await session.store.fold(.projects, with: ProjectRegister.self).state
                let teams = try await session.store.fold(.teams, with: TeamRegister.self).state
                let events = try await session.decide(
                    ThresholdRegister.self, on: .threshold(scope),
                    .set(statement, projects: .init(projects.keys), teams: .init(teams.keys)))
                return Answer(
                    changed: !events.isEmpty,
                    "\(scope.sentence) may cost \(statement.limits); told at \(statement.levelText) %"
                        + policy.sentence,
                    statement.members)
            }
            try answer.print(options.global)
        }

        private static func statement(
            _ text: ThresholdText, in currency: Currency, reason: String
        ) throws -> WireThresholdSet {
            do { return try text.statement(in: currency, reason: reason) } catch {
                throw CommandFailure(.usage, "\(error)")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Removes the limits of a project, a team or the organisation.",
            discussion: "Example: finops threshold rm --project chatbot", aliases: ["remove"])

        @OptionGroup var scope: ScopeOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let scope = try scope.scope
            let answer = try await AdministrationSession.run(options.global) { session in
                let events = try await session.decide(
                    ThresholdRegister.self, on: .threshold(scope), .remove(scope, reason: options.reason))
                return Answer(
                    changed: !events.isEmpty, "\(scope.sentence) has no threshold any more",
                    [.init("scope", .string(scope.kind)), .init("name", .string(scope.name))])
            }
            try answer.print(options.global)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the limits there are.", discussion: "Example: finops threshold list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let log: some EventReader = .local(of: try options.initialisedDirectory())
            var table = Table([
                .init("scope"), .init("name"), .init("daily", .right, display: Self.amount),
                .init("weekly", .right, display: Self.amount), .init("currency"),
                .init("levels") { $0.array?.map(\.text).joined(separator: ", ") ?? "" }, .init("zone"),
                .init("policy"),
            ])
            for summary in try await log.allStreams(prefix: "threshold-") {
                for (_, statement) in try await log.fold(summary.stream, with: ThresholdRegister.self).state {
                    table.rows.append(statement.members.map(\.value))
                }
            }
            try table.write(options.json ? .json : .table)
        }

        private static let amount: @Sendable (JSONValue) -> String = { value in
            value.string.map(WireThresholdSet.readable) ?? Table.plainText(value)
        }
    }
}

extension Currency {
    /// The currency in which amounts are given.
    /// - Throws: what reading the configuration throws; `CommandFailure` for what is no currency.
    static func reporting(in directory: StateDirectory) throws -> Currency {
        let code = try Configuration.load(directory).currency
        guard let currency = Currency(code) else {
            throw CommandFailure(.failure, "config.yaml: \"\(code)\" is no currency")
        }
        return currency
    }
}

extension CostScope {
    fileprivate var sentence: String { self == .organisation ? "the organisation" : "\(kind) \"\(name)\"" }
}

extension WireThresholdSet {
    fileprivate var levelText: String { levels.map(String.init).joined(separator: ", ") }

    fileprivate var limits: String {
        let parts = [(hasDaily, daily, "day"), (hasWeekly, weekly, "week")]
        return parts.filter(\.0).map { "\(Self.readable(Self.amount($0.1))) \($0.1.currency) a \($0.2)" }.joined(
            separator: " and ")
    }

    private static func amount(_ money: WireMoney) -> String { NanoText.text(Int128(money.nanos)) }

    /// With as many decimals as it needs, at least two.
    fileprivate static func readable(_ amount: String) -> String {
        guard let point = amount.firstIndex(of: ".") else { return amount }
        var end = amount.endIndex
        let least = amount.index(point, offsetBy: 3)
        while end > least, amount[amount.index(before: end)] == "0" { end = amount.index(before: end) }
        return String(amount[..<end])
    }

    fileprivate var members: [JSONValue.Member] {
        [
            .init("scope", .string(scope)), .init("name", .string(name)),
            .init("daily", hasDaily ? .string(Self.amount(daily)) : .null),
            .init("weekly", hasWeekly ? .string(Self.amount(weekly)) : .null),
            .init("currency", .string((hasDaily ? daily : weekly).currency)),
            .init("levels", .array(levels.map { .integer($0) })), .init("zone", .string(zone)),
            .init("policy", .string(policy)),
        ]
    }
}

extension ThresholdPolicy: ExpressibleByArgument {
    fileprivate var sentence: String {
        switch self {
        case .alert: ""
        case .block: "; the gateway refuses calls beyond it"
        case .disableKeys: "; the gateway refuses calls beyond it, and the keys are then disabled"
        }
    }
}
