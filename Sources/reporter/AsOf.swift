import EventLog
import FinOps
import Foundation
import Projections
import Runtime
import Storage

/// Time travel: the same folds over the same log, stopped earlier, in a file that lives as long as the answer.
enum AsOf {
    /// - Parameter text: a position, a time, or a day; nil for now.
    static func answering(_ options: AnswerOptions, _ text: String?) async throws -> Answering {
        guard let text else { return try await Answering.open(options) }
        let directory = try options.global.initialisedDirectory()
        let configuration = try Configuration.load(directory)
        guard let end = end(text, try calendar(configuration)) else {
            throw CommandFailure(.usage, "--as-of takes a position, a time such as 2026-11-20T09:00+09:00, or a day")
        }
        let log = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        if case .position(let position) = end {
            let head = try await log.head()
            guard position <= head else {
                throw CommandFailure(.usage, "--as-of: position \(position) is beyond the log's head, \(head)")
            }
        }
        return try await fold(log, through: end, directory, configuration, options)
    }

    static func fold(
        _ log: any EventReader, through end: ProjectionBuild.End, _ directory: StateDirectory,
        _ configuration: Configuration, _ options: AnswerOptions
    ) async throws -> Answering {
        let path = FileManager.default.temporaryDirectory.appending(path: "finops-as-of-\(UUID().uuidString).db").path(
            percentEncoded: false)
        defer { removeProjections(at: path) }
        let build = ProjectionBuild(reader: log, calendar: try calendar(configuration), end: end)
        let checkpoint = try await build.run(into: path)
        return Answering(
            directory: directory, reader: try ProjectionReader(path: path),
            clock: try PipelineClock.load(from: directory), currency: configuration.currency,
            rates: try ExchangeRates(configuration), quiet: options.global.quiet, head: checkpoint.position,
            isStale: false, logProblem: try LogView(directory).problem())
    }

    private static func calendar(_ configuration: Configuration) throws -> BusinessCalendar {
        guard let calendar = BusinessCalendar(configuration.zone) else {
            throw CommandFailure(.failure, "the system does not know the time zone \(configuration.zone)")
        }
        return calendar
    }

    static func end(_ text: String, _ calendar: BusinessCalendar) -> ProjectionBuild.End? {
        if let position = UInt64(text) { return .position(Position(position)) }
        if let day = Day(text) {
            return .time(Timestamp(microseconds: calendar.start(of: day.advanced(by: 1)).microseconds - 1))
        }
        return instant(text, calendar).map { .time($0) }
    }

    /// `2026-11-20T09:00`, with seconds or without, with an offset or in the business zone.
    private static func instant(_ text: String, _ calendar: BusinessCalendar) -> Timestamp? {
        let halves = text.split(whereSeparator: { $0 == "T" || $0 == " " })
        guard halves.count == 2, let day = Day(halves[0]) else { return nil }
        let clock = halves[1].prefix { !"Z+-".contains($0) }
        let offset = halves[1][clock.endIndex...]
        guard !clock.contains(".") else { return nil }
        let seconds = clock.utf8.count == 5 ? ":00" : ""
        guard let plain = Timestamp(rfc3339: "\(day)T\(clock)\(seconds)\(offset.isEmpty ? "Z" : offset)") else {
            return nil
        }
        guard offset.isEmpty else { return plain }
        return calendar.instant(of: day, secondsFromMidnight: plain.seconds - day.utcStart.seconds)
    }

    /// The open file stays readable until it is closed.
    private static func removeProjections(at path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}
