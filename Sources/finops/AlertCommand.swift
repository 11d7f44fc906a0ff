import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import JSON
import Runtime
import Vault

/// Alerts that stand, and what people say about them.
struct AlertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alert", abstract: "Lists, acknowledges and snoozes alerts.",
        subcommands: [List.self, Acknowledge.self, Snooze.self])

    struct Acknowledge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ack",
            abstract: "Says that you look after what stands: what of it was not sent yet is not sent any more.",
            discussion: """
                Without --window and --day it is about everything of the scope that stands. Another level, or another \
                window, alerts again.
                Examples:
                  finops alert ack --project search-api --reason "rollback is on its way"
                  finops alert ack --team search --window day --day 2026-11-22
                """)

        @OptionGroup var scope: ScopeOptions
        @Option(help: "day or week; both without it.") var window: WindowKind?
        @Option(help: "A day of the window, YYYY-MM-DD in the threshold's zone.") var day: GivenDay?
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let scope = try scope.scope
            let answer = try await AdministrationSession.run(options.global) { session in
                let board = try await session.store.alertBoard(
                    at: session.now, days: day.map { [$0.value] } ?? [], scope: scope)
                let standing = board.standing(scope).filter { isMeant($0.window) }
                let events = try await session.decide(
                    AlertRegister.self, on: .threshold(scope),
                    .acknowledge(scope, standing, reason: options.reason))
                return Self.answer(scope, standing.map(\.window), changed: !events.isEmpty)
            }
            try answer.print(options.global)
        }

        private func isMeant(_ standing: AlertWindow) -> Bool {
            guard window.map({ $0 == standing.kind }) ?? true else { return false }
            guard let day = day?.value else { return true }
            return standing.firstDay == (standing.kind == .day ? day : day.monday)
        }

        private static func answer(_ scope: CostScope, _ windows: [AlertWindow], changed: Bool) -> Answer {
            let names = windows.map { "\($0.kind.rawValue) \($0.firstDay)" }
            let objects = windows.map { window in
                JSONValue.object([
                    .init("window", .string(window.kind.rawValue)),
                    .init("first_day", .string(window.firstDay.description)),
                ])
            }
            return Answer(
                changed: changed, "the alerts of \(scope.title) are acknowledged: \(names.joined(separator: ", "))",
                scope.members + [.init("windows", .array(objects))])
        }
    }

    struct Snooze: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets the alerts of a scope wait; what waited is sent together when the time is over.",
            discussion: """
                Examples:
                  finops alert snooze --project search-api --for 4h --reason "load test"
                  finops alert snooze --team search --until 2026-11-23T09:00
                  finops alert snooze --project search-api --off
                """)

        @OptionGroup var scope: ScopeOptions
        @Option(name: .customLong("for"), help: "How long: 90m, 4h, 2d.") var span: String?
        @Option(
            help: "Until when: YYYY-MM-DDTHH:MM in the business zone or with an offset, or HH:MM, the next such time.")
        var until: String?
        @Flag(name: .customLong("off"), help: "Ends it now.") var isOff = false
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            guard [span != nil, until != nil, isOff].count(where: { $0 }) == 1 else {
                throw ValidationError("give one of --for, --until and --off")
            }
        }

        func run() async throws {
            let scope = try scope.scope
            let answer = try await AdministrationSession.run(options.global) { session in
                guard !isOff else {
                    let events = try await session.decide(
                        AlertRegister.self, on: .threshold(scope),
                        .wake(scope, now: session.now.seconds, reason: options.reason))
                    return Answer(
                        changed: !events.isEmpty, "the alerts of \(scope.title) are sent",
                        scope.members + [.init("until", .null)])
                }
                let end = try end(after: session.now, session.calendar)
                let events = try await session.decide(
                    AlertRegister.self, on: .threshold(scope),
                    .snooze(scope, until: end.seconds, now: session.now.seconds, reason: options.reason))
                return Answer(
                    changed: !events.isEmpty,
                    "the alerts of \(scope.title) wait until \(session.calendar.text(of: end))",
                    scope.members + [.init("until", .string(end.rfc3339Seconds))])
            }
            try answer.print(options.global)
        }

        private func end(after now: Timestamp, _ calendar: BusinessCalendar) throws -> Timestamp {
            if let span {
                guard let seconds = DurationText.seconds(span), seconds > 0 else {
                    throw CommandFailure(.usage, "--for: \"\(span)\" is no span; write it like 90m, 4h or 2d")
                }
                return Timestamp(seconds: now.seconds + seconds)
            }
            guard let end = calendar.instant(until ?? "", after: now) else {
                throw CommandFailure(
                    .usage, "--until: \"\(until ?? "")\" is no time; write it like 18:00 or 2026-11-23T09:00")
            }
            return end
        }
    }
}

/// A day of a zone that is known later.
struct GivenDay: ExpressibleByArgument {
    let value: Day

    init?(argument: String) {
        guard let day = Day(argument) else { return nil }
        value = day
    }
}

extension WindowKind: ExpressibleByArgument {}

extension CostScope {
    /// How answers name it.
    var members: [JSONValue.Member] { [.init("scope", .string(kind)), .init("name", .string(name))] }
}

extension BusinessCalendar {
    /// Reads `18:00`, the next such time, or `2026-11-23T09:00`, with an offset or in this zone.
    fileprivate func instant(_ text: String, after now: Timestamp) -> Timestamp? {
        if let time = TimeOfDay(text) {
            let today = day(of: now)
            return [today, today.advanced(by: 1)]
                .map { instant(of: $0, secondsFromMidnight: Int64(time.secondsFromMidnight)) }.first { $0 > now }
        }
        if let exact = Timestamp(rfc3339: text) { return exact }
        let halves = text.split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count == 2, let day = Day(halves[0]), let time = TimeOfDay(String(halves[1])) else { return nil }
        return instant(of: day, secondsFromMidnight: Int64(time.secondsFromMidnight))
    }

    /// Such as `2026-11-23 09:00 (Asia/Seoul)`.
    fileprivate func text(of instant: Timestamp) -> String {
        let local = instant.advanced(bySeconds: Int64(offsetSeconds(at: instant)))
        return "\(local.rfc3339Seconds.prefix(16).split(separator: "T").joined(separator: " ")) (\(zone.identifier))"
    }
}
