import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import JSON
import Runtime
import Storage

/// How every program of the pipeline is.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows each program's state, how far behind it is, and its uptime over seven days.",
        discussion: "Works whether the pipeline runs or not. Example: finops status --json")

    private static let uptimeDays: Int64 = 7

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let topology = try Topology.load(options.pipeline ?? directory.pipeline)
        let isSupervised = FileLock.isHeld(path: directory.supervisorLock)
        let board = isSupervised ? ProcessBoard.load(from: directory) : nil
        let log = LogFile(directory)
        let now = try PipelineClock.load(from: directory).now()
        let window = now.advanced(bySeconds: -Self.uptimeDays * 86_400)..<now
        let head = try await log.head()
        var rows: [[JSONValue]] = []
        for process in topology.processes {
            let uptime = try await log.uptime(of: process.name, window: window)
            rows.append(
                try StatusRow(name: process.name, board: board?[process.name], directory: directory, uptime: uptime)
                    .cells)
        }
        let table = Table(StatusRow.columns, rows: rows)
        if options.json {
            return try Output.line(
                JSONValue.object([
                    .init("processes", .array(table.objects)), .init("head", .integer(head.value)),
                    .init("supervised", .bool(isSupervised)), .init("time", .string(now.rfc3339)),
                ]).prettyText)
        }
        try table.write(.table)
        try Output.line("\nlog: \(head) events" + (isSupervised ? "" : "; finops up is not running"))
    }
}

/// One program in the answer.
private struct StatusRow {
    static let columns = [
        Table.Column("name"), Table.Column("state"), Table.Column("pid", .right),
        Table.Column("lag_events", title: "lag", .right), Table.Column("lag_seconds", title: "lag s", .right),
        Table.Column("last_event", title: "last event"), Table.Column("parked_events", title: "parked", .right),
        Table.Column("restarts", .right), Table.Column("last_exit", title: "last exit"),
        Table.Column("uptime_7d", title: "up 7 d", .right) { value in
            value.numberText.flatMap(Double.init).map { ratio in
                let hundredths = Int((ratio * 10_000).rounded())
                return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) %"
            } ?? "–"
        },
        Table.Column("listen"),
        // Why a program that runs cannot do its work.
        Table.Column("reason"),
    ]

    let cells: [JSONValue]

    init(name: String, board: ProcessBoard.Entry?, directory: StateDirectory, uptime: Double?) throws {
        let health = HealthClient.readiness(socket: try directory.healthSocket(stage: name))
        let consumers = health?["consumers"]?.array ?? []
        func greatest(_ field: String) -> JSONValue {
            guard health != nil || board?.state == .ready else { return .null }
            return .integer(consumers.compactMap { $0[field]?.integer }.max() ?? 0)
        }
        cells = [
            .string(name), .string(Self.state(board, health)),
            board?.pid.map { .integer($0) } ?? health?["pid"] ?? .null,
            greatest("lag_events"), greatest("lag_seconds"),
            JSONValue(consumers.compactMap { $0["last_event"]?.string }.max()), greatest("parked_events"),
            .integer(board?.restarts ?? 0), JSONValue(board?.lastExit), uptime.map { .number("\($0)") } ?? .null,
            health?["listen"] ?? .null,
            health?["ready"]?.bool == false ? health?["reason"] ?? .null : .null,
        ]
    }

    /// The supervisor knows whether it runs, the program itself whether it works.
    private static func state(_ board: ProcessBoard.Entry?, _ health: JSONValue?) -> String {
        if let board, board.state != .ready { return board.state.rawValue }
        switch health?["ready"]?.bool {
        case true?: return "ready"
        case false?: return "not-ready"
        case nil: return board?.state.rawValue ?? "stopped"
        }
    }
}

/// What the log's file tells, without its server.
private struct LogFile {
    private let reader: SQLiteEventReader?

    init(_ directory: StateDirectory) {
        let exists = FileManager.default.fileExists(atPath: directory.logDatabase)
        reader = exists ? SQLiteEventReader(files: LogFiles(database: directory.logDatabase)) : nil
    }

    func head() async throws -> Position { try await reader?.head() ?? .start }

    func uptime(of stage: String, window: Range<Timestamp>) async throws -> Double? {
        guard let reader else { return nil }
        var uptime = Uptime(window: window)
        for event in try await reader.readAll(stream: StreamName("stage-\(stage)")) {
            uptime.changed(isUp: event.type == "stage.ready", at: event.event.occurred)
        }
        return uptime.ratio
    }
}
