import EventLog
import FinOps
import JSON
import Projections
import Runtime
import Storage

/// The projections an answer is given from, and how fresh they are.
struct Answering {
    let directory: StateDirectory
    let reader: ProjectionReader
    let clock: PipelineClock
    let currency: String
    let rates: ExchangeRates
    let quiet: Bool
    /// The log's head when the question was asked; of an answer as of an earlier time, where that is.
    let head: Position
    /// Whether something lies before the head that could change a figure and is not in the projections, or these were made
    /// for another zone than the configured one.
    let isStale: Bool
    /// Why the log is not what was acknowledged, as a sentence; nil if nothing speaks against it.
    let logProblem: String?

    var today: Day { reader.calendar.day(of: clock.now()) }

    /// Opens the projections; waits for a running pipeline to reach the head first. An empty log has an empty answer.
    /// - Throws: `CommandFailure` with `tryAgain` if there is a log but nothing was made of it yet.
    static func open(_ options: AnswerOptions, about subject: AnswerSubject = .costs) async throws -> Answering {
        let directory = try options.global.initialisedDirectory()
        let log = try LogView(directory)
        let wait = PipelineWait(directory: directory, log: log, reactors: subject.reactors)
        let head = options.noWait ? try log.head() : try wait.run()
        let configuration = try Configuration.load(directory)
        do {
            let reader = try ProjectionReader(path: directory.currentProjection)
            // Days of another zone than the configured one are figures that will change.
            let isStale =
                try reader.zone != configuration.zone
                || log.hasOther(than: subject.irrelevant, after: reader.checkpoint.position, through: head)
            return Answering(
                directory: directory, reader: reader, clock: try PipelineClock.load(from: directory),
                currency: configuration.currency, rates: try ExchangeRates(configuration), quiet: options.global.quiet,
                head: head, isStale: isStale, logProblem: try log.problem(projected: reader.checkpoint.position))
        } catch let failure as ProjectionFailure where failure.code.hasPrefix("projection-") {
            if failure.code == "projection-missing", head == .start {
                let nothing = InMemoryEventStore { .distantPast }
                return try await AsOf.fold(nothing, through: .head, directory, configuration, options)
            }
            throw CommandFailure(
                failure.code == "projection-damaged" ? .failure : .tryAgain, failure.message,
                hint: "make them with: projector rebuild --dir \(directory.path)")
        }
    }

    /// A question in the reporting currency, at the configured rates.
    func query(by: [CostDimension], _ days: ClosedRange<Day>) -> CostQuery {
        var query = CostQuery(by: by, from: days.lowerBound, through: days.upperBound)
        query.currency = currency
        query.rates = rates
        return query
    }

    // MARK: What every answer carries

    /// Position, zone, freshness: the members of every JSON answer.
    func envelope() throws -> [JSONValue.Member] {
        let checkpoint = reader.checkpoint
        let time = checkpoint.position == .start ? nil : checkpoint.recorded.rfc3339Seconds
        return [
            .init("as_of", ["position": .integer(checkpoint.position.value), "time": JSONValue(time)]),
            .init("zone", .string(reader.zone)), .init("currency", .string(currency)),
        ]
    }

    func freshness() throws -> [JSONValue.Member] {
        let checkpoint = reader.checkpoint
        let behind = head > checkpoint.position ? head.value - checkpoint.position.value : 0
        var freshness: [JSONValue.Member] = [
            .init("head", .integer(max(head, checkpoint.position).value)), .init("lag_events", .integer(behind)),
            .init("unknown_events", .integer(reader.unknownEvents)),
            .init("accounts", .array(try reader.freshness().map(document))),
        ]
        if let halt = checkpoint.halt {
            freshness.append(
                .init(
                    "halted",
                    ["position": .integer(halt.position), "type": .string(halt.type), "reason": .string(halt.reason)]))
        }
        if let logProblem { freshness.append(.init("log_problem", .string(logProblem))) }
        return [.init("stale", .bool(isStale)), .init("freshness", .object(freshness))]
    }

    private func document(_ account: AccountFreshness) -> JSONValue {
        let run: JSONValue? = account.lastRun.map { run in
            [
                "run": .string(run.run), "kind": .string(run.kind), "from": .string(run.fromDay),
                "to": .string(run.toDay), "ended": JSONValue(run.ended.map(\.rfc3339Seconds)),
            ]
        }
        return [
            "provider": .string(account.provider), "account": .string(account.account),
            "observed": JSONValue(account.observed.map(\.rfc3339Seconds)),
            "usage_through": JSONValue(account.usageThrough.map(\.rfc3339Seconds)), "last_run": run ?? .null,
        ]
    }

    private func zoned(_ instant: Timestamp) -> String { ZonedHour.text(at: instant, reader.calendar) }

    /// Says of what state an answer is: below a table, and on stderr beside rows for machines. JSON says it itself.
    func tell(_ format: OutputFormat, _ notes: [String] = []) throws {
        for note in notes + (try footnotes()) {
            switch format {
            case .table: try Output.line(note)
            case .csv, .jsonl: if !quiet { Output.message(note) }
            case .json: break
            }
        }
    }

    /// Says on stderr which names that were asked for nobody has made: an empty answer alone does not show a slip.
    func warn(_ names: [(thing: NamedThing, name: String?)]) throws {
        for (thing, name) in names {
            guard let name, !quiet, try !reader.knows(thing, name) else { continue }
            let (what, command) =
                switch thing {
                case .team: ("team", "team")
                case .project: ("project", "project")
                case .gatewayKey: ("key of the gateway", "key")
                }
            Output.message(
                "at position \(reader.checkpoint.position) there is no \(what) \"\(name)\"; those there are: finops \(command) list --dir \(directory.path)"
            )
        }
    }

    /// Of what state the figures are, and what is not in them.
    func footnotes() throws -> [String] {
        let checkpoint = reader.checkpoint
        let time = checkpoint.position == .start ? "" : " (\(zoned(checkpoint.recorded)))"
        var notes = ["As of position \(checkpoint.position)\(time), zone \(reader.zone), \(currency)."]
        if isStale {
            notes.append(
                "STALE: the log is at position \(head), these figures are at \(reader.checkpoint.position) with the days of "
                    + "\(reader.zone); run: projector catch-up --dir \(directory.path)")
        }
        if let logProblem {
            notes.append(
                "DAMAGED: \(logProblem); these figures may lack events. See: event-log verify --dir \(directory.path)")
        }
        if let halt = checkpoint.halt { notes.append("HALTED: \(halt)") }
        for account in try reader.freshness() {
            let through = account.usageThrough.map(zoned) ?? "none yet"
            let observed = account.observed.map(zoned) ?? "never"
            notes.append(
                "\(account.provider)/\(account.account): usage published through \(through), seen \(observed).")
        }
        return notes
    }
}

/// What an answer is about: which stages it waits for, and what cannot change it.
enum AnswerSubject {
    case costs, calls, alerts, notifications

    /// Each after those it builds on.
    var reactors: [String] {
        switch self {
        case .calls: []
        case .costs: ["attributor"]
        case .alerts: ["attributor", "threshold-watcher"]
        case .notifications: ["attributor", "threshold-watcher", "notifier"]
        }
    }

    var irrelevant: Set<EventType> {
        [.costs, .calls].contains(self)
            ? EventCatalogue.stageLife.union(EventCatalogue.deliveries) : EventCatalogue.stageLife
    }
}

extension ExchangeRates {
    /// - Throws: `CommandFailure` for a rate of `config.yaml` that is none.
    init(_ configuration: Configuration) throws {
        self.init(
            try configuration.rates.map { entry in
                // The configuration has proved the text; the bound is said again for the arithmetic that needs it.
                guard let from = Day(entry.from), let currency = Currency(entry.currency),
                    let rate = try? DecimalText(entry.rate), rate.value < 1_000_000_000_000_000_000
                else {
                    throw CommandFailure(
                        .failure,
                        "config.yaml: \(entry.rate) for \(entry.currency) from \(entry.from) is no rate of exchange")
                }
                return Rate(currency: currency.code, from: from, rate: rate)
            })
    }
}

/// The log's file, if there is one.
struct LogView {
    private let files: LogFiles
    private let scanner: SQLiteLogScanner?

    init(_ directory: StateDirectory) throws {
        files = LogFiles(database: directory.logDatabase)
        scanner = files.exist ? try SQLiteLogScanner(files: files) : nil
    }

    /// Why it is not the log that was acknowledged, or that the projections were made from.
    func problem(projected: Position = .start) throws -> String? {
        if let complaint = try scanner?.complaint(of: files) { return complaint }
        let head = try head()
        return projected > head
            ? "the log ends at position \(head), but the projections were made from \(projected) events" : nil
    }

    /// `.start` before there is a log.
    func head() throws -> Position { try scanner?.head() ?? .start }

    /// Whether that span has an event of any other type: of these a clean stop leaves some behind the projections.
    func hasOther(than irrelevant: Set<EventType>, after position: Position, through head: Position) throws -> Bool {
        guard let scanner else { return false }
        var position = position
        while position < head {
            let page = try scanner.read(after: position, limit: Self.pageEvents)
            guard page.scannedThrough > position else { return false }
            let events = page.events.prefix { $0.position <= head }
            if events.contains(where: { !irrelevant.contains($0.event.type) }) { return true }
            position = page.scannedThrough
        }
        return false
    }

    private static let pageEvents = 256
}
