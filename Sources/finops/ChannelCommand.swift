import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import JSON
import Runtime
import Secret
import Vault

/// Where alerts go, and when they wait.
struct ChannelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel", abstract: "Sets, schedules, lists and removes where alerts go.",
        subcommands: [Set.self, Schedule.self, List.self, Remove.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says where alerts go. Credentials are read from files or standard input and kept encrypted.",
            subcommands: [Slack.self, Mail.self, Sentry.self])
    }

    struct Schedule: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says when a channel is quiet. What is not said stays as it is.",
            discussion: """
                What is not urgent waits for the end of the quiet hours, or for the digest; a limit that is passed does not.
                Examples:
                  finops channel schedule slack --quiet-hours 22:00-08:00 --zone Asia/Seoul
                  finops channel schedule mail --digest 09:00 --no-quiet-hours
                  finops channel schedule slack --canary --reason "weekly drill"
                """)

        @Argument(help: "slack, mail or sentry.") var channel: ChannelName
        @Option(help: "Quiet hours of every day, HH:MM-HH:MM; they may reach over midnight.")
        var quietHours: GivenQuietHours?
        @Flag(name: .customLong("no-quiet-hours"), help: "No quiet hours.") var isNeverQuiet = false
        @Option(help: "Collect what is not urgent into one message a day, at HH:MM.") var digest: DayMinute?
        @Flag(name: .customLong("no-digest"), help: "No digest.") var hasNoDigest = false
        @Flag(inversion: .prefixedNo, help: "One message a day that says that the path works.") var canary: Bool?
        @Option(help: "IANA time zone of these times (default: the business zone).") var zone: String?
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            if quietHours != nil, isNeverQuiet {
                throw ValidationError("--quiet-hours and --no-quiet-hours: give one of them")
            }
            if digest != nil, hasNoDigest { throw ValidationError("--digest and --no-digest: give one of them") }
            let isSaid =
                quietHours != nil || isNeverQuiet || digest != nil || hasNoDigest || canary != nil || zone != nil
            if !isSaid { throw ValidationError("nothing to change: give --quiet-hours, --digest, --canary or --zone") }
        }

        func run() async throws {
            let answer = try await AdministrationSession.run(options.global) { session in
                let events = try await session.decide(
                    ChannelRegister.self, on: channel.stream,
                    .schedule(
                        channel: channel.rawValue, change(in: session.calendar.zone.identifier), reason: options.reason)
                )
                return Answer(
                    changed: !events.isEmpty, "the schedule of channel \(channel.rawValue) is as asked for",
                    [.init("channel", .string(channel.rawValue))])
            }
            try answer.print(options.global)
        }

        private func change(in businessZone: String) -> ChannelRegister.ScheduleChange {
            var change = ChannelRegister.ScheduleChange(businessZone: businessZone)
            if let quietHours { change.quiet = .set(quietHours.value) }
            if isNeverQuiet { change.quiet = .drop }
            if let digest { change.digest = .set(digest.value) }
            if hasNoDigest { change.digest = .drop }
            change.canary = canary
            change.zone = zone
            return change
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Sends no more alerts to a channel and removes its address and credential.",
            discussion: "Example: finops channel rm sentry --reason \"not used any more\"", aliases: ["remove"])

        @Argument(help: "slack, mail or sentry.") var channel: ChannelName
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
            let answer = try await AdministrationSession.run(options.global) { session in
                let wasKept = try await session.forget(channel.secretID, in: vault, reason: options.reason)
                var wasSet = true
                do {
                    _ = try await session.decide(
                        ChannelRegister.self, on: channel.stream,
                        .remove(channel: channel.rawValue, reason: options.reason))
                } catch ChannelRejection.notSet where wasKept {
                    // A `set` that was interrupted between vault and log.
                    wasSet = false
                }
                return Answer(
                    changed: wasSet || wasKept, "no alerts go to \(channel.rawValue)",
                    [.init("channel", .string(channel.rawValue))])
            }
            try answer.print(options.global)
        }
    }
}

extension ChannelCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the channels: no credential, and addresses masked.",
            discussion: "Example: finops channel list --dir D")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let log: some EventReader = .local(of: directory)
            let vault = try SecretStore.local(of: directory)
            var table = Table([
                .init("channel"), .init("transport"), .init("address"), .init("recipients", display: Self.lines),
                .init("quiet"), .init("digest"), .init("canary"), .init("zone"), .init("secret"),
            ])
            for name in ChannelName.allCases {
                guard let channel = try await log.fold(name.stream, with: ChannelRegister.self).state else { continue }
                let (recipients, secret) = await Self.look(into: vault, for: channel.set)
                table.rows.append(
                    [channel.set.channel, channel.set.transport, channel.set.address].map(JSONValue.string)
                        + [.array(recipients.map(JSONValue.string))] + Self.cells(channel.schedule)
                        + [.string(secret)])
            }
            try table.write(options.json ? .json : .table)
        }

        private static let lines: @Sendable (JSONValue) -> String = { value in
            let texts = (value.array ?? []).compactMap(\.string)
            return texts.isEmpty ? "–" : texts.joined(separator: ", ")
        }

        private static func cells(_ schedule: WireChannelScheduleSet?) -> [JSONValue] {
            guard let schedule else { return [.null, .null, false, .null] }
            let quiet = "\(DayMinute.text(schedule.quietFrom))-\(DayMinute.text(schedule.quietTo))"
            return [
                JSONValue(schedule.hasQuietFrom ? quiet : nil),
                JSONValue(schedule.hasDigestAt ? DayMinute.text(schedule.digestAt) : nil),
                .bool(schedule.canary), .string(schedule.zone),
            ]
        }

        /// - Returns: the recipients, masked, and how the secret is.
        private static func look(
            into vault: SecretStore, for channel: WireChannelSet
        ) async -> (recipients: [String], state: String) {
            do throws(VaultError) {
                let secret = try await vault.secret(channel.secretID, for: SecretPurpose.notificationChannel)
                return (recipients(in: secret), "whole")
            } catch {
                return ([], error.code == .notFound ? "missing" : error.code.rawValue)
            }
        }

        private static func recipients(in secret: Secret) -> [String] {
            // Ours since it opened; one of another version may be otherwise, and then shows none.
            let document = secret.withUTF8 { try? JSONValue.parse(String(decoding: $0, as: UTF8.self)) }
            return (document?["to"]?.array ?? []).compactMap { recipient in
                guard let address = recipient["address"]?.string, let language = recipient["language"]?.string else {
                    return nil
                }
                return "\(GivenAddress.mask(address)) (\(language))"
            }
        }
    }
}

/// A time of day, in minutes after midnight.
struct DayMinute: ExpressibleByArgument {
    let value: UInt32

    /// Reads `09:00`.
    init?(argument: String) {
        guard let time = TimeOfDay(argument) else { return nil }
        value = UInt32(time.secondsFromMidnight / 60)
    }

    static func text(_ value: UInt32) -> String {
        [value / 60, value % 60].map { ($0 < 10 ? "0" : "") + "\($0)" }.joined(separator: ":")
    }
}

/// Quiet hours as they are given: `22:00-08:00`.
struct GivenQuietHours: ExpressibleByArgument {
    let value: QuietHours

    init?(argument: String) {
        let ends = argument.split(separator: "-", omittingEmptySubsequences: false)
            .map { DayMinute(argument: String($0)) }
        guard ends.count == 2, let from = ends[0], let to = ends[1],
            let hours = QuietHours(from: from.value, to: to.value)
        else { return nil }
        value = hours
    }
}
