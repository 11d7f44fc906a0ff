import ArgumentParser
import EventLog
import FinOps
import Logging
import Runtime
import Stages
import Storage

/// What a threshold would have found, had it always been armed. It reads the log's file and writes nothing.
struct DryRunCommand: CancellableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dry-run", abstract: "Show the crossings that a threshold would have led to.",
        discussion: """
            It looks at the windows that touch the days, and plays the log over them as it came in: a crossing is \
            known when the cost was. One that was taken back says when. Each row, in the order in which it would have \
            been told:
              window, first_day, level      day or week, its first day in the zone, per cent of the limit
              limit, cost, cost_nano        of the whole window; cost_nano in units of 10^-9
              basis                         metered, billed, estimated or mixed
              known_at, position            when the log knew it, and by which event
              usage_through                 usage of the window was known up to here; null if nobody knows
              previous, forecast            the window before up to the same point; a straight line to the window's end
              cause_…                       the key and model that grew most, and by how much
              cleared_at, cleared_position, cleared_cost    what took it back; null if it stood
            Examples:
              threshold-watcher dry-run --project chatbot --daily 10.00 --from 2026-09-01 --to 2026-11-30
              threshold-watcher dry-run --threshold team/search --from 2026-11-01 --to 2026-11-30 --json
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "The project whose costs are meant.") var project: String?
    @Option(help: "The team whose costs are meant.") var team: String?
    @Flag(help: "The whole organisation.") var organisation = false
    @Option(help: "One that is armed, as it is: project/NAME, team/NAME or organisation.") var threshold: String?
    @Option(help: "Most a day may cost, in the reporting currency, such as 10.00.") var daily: String?
    @Option(help: "Most a week may cost, in the reporting currency.") var weekly: String?
    @Option(help: "Per cents of the limit (default: \(ThresholdText.usualLevels)).") var levels: String?
    @Option(help: "The zone of the days and weeks; the business zone if left out.") var zone: String?
    @Option(help: "First day, such as 2026-11-16.") var from: String
    @Option(help: "Last day, inclusive.") var to: String
    @Flag(help: "Print CSV; what the log was looked at up to is said on stderr.") var csv = false

    func validate() throws {
        guard [project != nil, team != nil, organisation, threshold != nil].filter(\.self).count == 1 else {
            throw ValidationError("give one of --project, --team, --organisation and --threshold")
        }
        if threshold != nil, daily != nil || weekly != nil || levels != nil || zone != nil {
            throw ValidationError("--threshold is replayed as it is: leave out --daily, --weekly, --levels and --zone")
        }
        if csv, options.json { throw ValidationError("give one of --json and --csv") }
    }

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let configuration = try Configuration.load(directory)
        let log = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        let statement = try await statement(log, configuration)
        guard let calendar = BusinessCalendar(statement.zone) else {
            throw CommandFailure(.usage, "the system knows no time zone \"\(statement.zone)\"")
        }
        let days = try self.days()
        let replay = ThresholdReplay(
            of: statement, over: days, calendar: calendar, currency: try configuration.watchedCurrency, reader: log,
            logger: Logger(label: ThresholdWatcher.stage) { _ in SwiftLogNoOpLogHandler() })
        let progress = ReplayProgress(quiet: options.quiet)
        let outcome = try await replay.run { done, all in progress.tell(done, of: all) }
        let document = ReplayDocument(statement: statement, days: days, outcome: outcome)
        try document.print(csv ? .csv : options.json ? .json : .table, quiet: options.quiet)
    }

    private func days() throws -> ClosedRange<Day> {
        func day(_ text: String, _ option: String) throws -> Day {
            guard let day = Day(text) else {
                throw ValidationError("\(option): \"\(text)\" is not a day such as 2026-11-20")
            }
            return day
        }
        let (first, last) = (try day(from, "--from"), try day(to, "--to"))
        guard first <= last else { throw ValidationError("--from \(first) is after --to \(last)") }
        return first...last
    }

    /// The threshold that is asked for: one that is armed, or one that could be.
    private func statement(_ log: SQLiteEventReader, _ configuration: Configuration) async throws -> WireThresholdSet {
        if let threshold {
            guard let scope = CostScope(text: threshold) else {
                throw ValidationError("--threshold is project/NAME, team/NAME or organisation, not \"\(threshold)\"")
            }
            let armed = ThresholdRegister.fold(try await events(of: .threshold(scope), log))
            guard let statement = armed[scope] else { throw ThresholdRejection.noThreshold(scope) }
            try check(statement, configuration)
            return statement
        }
        let scope: CostScope = project.map { .project($0) } ?? team.map { .team($0) } ?? .organisation
        let text = ThresholdText(
            scope: scope, daily: daily, weekly: weekly, levels: levels ?? ThresholdText.usualLevels,
            zone: zone ?? configuration.zone)
        let statement: WireThresholdSet
        do { statement = try text.statement(in: try configuration.watchedCurrency) } catch let malformed
            as ThresholdText.Malformed
        {
            throw CommandFailure(.usage, "\(malformed)")
        }
        let projects = ProjectRegister.fold(try await events(of: .projects, log))
        let teams = TeamRegister.fold(try await events(of: .teams, log))
        _ = try ThresholdRegister.decide(
            .set(statement, projects: Set(projects.keys), teams: Set(teams.keys)), ThresholdRegister.initialState)
        return statement
    }

    /// - Throws: `CommandFailure` for a limit that is not watched, of which a replay would find nothing.
    private func check(_ statement: WireThresholdSet, _ configuration: Configuration) throws {
        guard let limit = UnwatchedLimit(statement, watched: try configuration.watchedCurrency) else { return }
        throw CommandFailure(.failure, limit.problem, hint: "\(limit.remedy); or give --daily and --weekly here")
    }

    private func events(of stream: StreamName, _ log: SQLiteEventReader) async throws -> [FinOpsEvent] {
        try await log.readAll(stream: stream).compactMap { try EventCatalogue.decode($0.event) }
    }
}
