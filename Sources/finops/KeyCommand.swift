import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// Keys: those of the gateway, which applications call with, and those of providers, which projects pay for.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Issues and stops the gateway's keys; maps providers' keys to projects.",
        subcommands: [Issue.self, Rotate.self, Disable.self, Reactivate.self, Map.self, List.self])

    struct Map: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says which project a provider's key pays for.",
            discussion: """
                Without --from it holds from the beginning for a key never mapped, else from today.
                Example: finops key map --provider openai --provider-key-id key_abc --project chatbot
                """)

        @Option(name: .customLong("provider-key-id"), help: "The provider's id of the key, never the key itself.")
        var id: String
        @OptionGroup var change: MappingChange

        func run() async throws {
            try await change.apply(to: .key(try providerID(id, option: "--provider-key-id")))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the gateway's keys and how they stand, then mapped keys and projects of providers.",
            discussion: """
                Kind gateway is a key of the gateway: active, rotating (the value before is accepted too), expired or \
                disabled. Kinds key and provider-project are a provider's, each with the project that pays and since \
                when.
                Example: finops key list --dir D
                """)

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let calendar = try BusinessCalendar.of(directory)
            let now = try PipelineClock.load(from: directory).now()
            let log: some EventReader = .local(of: directory)
            var table = Table([
                .init("provider"), .init("kind"), .init("id"), .init("project"), .init("from"), .init("name"),
                .init("prefix"), .init("status"), .init("expires"), .init("last_rotated", title: "last rotated"),
                .init("disabled_by", title: "disabled by"), .init("requested_by", title: "reactivation asked by"),
            ])
            table.rows += try await gatewayKeys(log, calendar, now)
            table.rows += try await mappings(log, calendar).map { row in
                row + repeatElement(.null, count: table.columns.count - row.count)
            }
            try table.write(options.json ? .json : .table)
        }

        private func gatewayKeys(
            _ log: some EventReader, _ calendar: BusinessCalendar, _ now: Timestamp
        ) async throws -> [[JSONValue]] {
            var rows: [[JSONValue]] = []
            for summary in try await log.allStreams(prefix: "key-") {
                guard let key = try await log.fold(summary.stream, with: KeyRegister.self).state else { continue }
                // The last day on which it is accepted.
                let lastDay = key.issued.hasExpires ? calendar.day(of: Timestamp(seconds: key.issued.expires - 1)) : nil
                rows.append([
                    .null, "gateway", .string(key.issued.key), .string(key.issued.project),
                    .string(calendar.day(of: key.issuedAt).description),
                    key.issued.name.isEmpty ? .null : .string(key.issued.name), .string(key.prefix),
                    .string(key.status(at: now).rawValue), JSONValue(lastDay?.description),
                    JSONValue(key.rotated?.rfc3339Seconds), JSONValue(key.disabled?.cause), JSONValue(key.request?.by),
                ])
            }
            return rows
        }

        /// Statements of one subject stay in the order in which they were made: sorting is stable.
        private func mappings(_ log: some EventReader, _ calendar: BusinessCalendar) async throws -> [[JSONValue]] {
            var rows: [[JSONValue]] = []
            for provider in Provider.allCases {
                let stream = StreamName.mapping(provider: provider.rawValue)
                let mappings = try await log.fold(stream, with: MappingRegister.self).state
                let found = mappings.flatMap { subject, choice in
                    choice.statements.map { statement -> [JSONValue] in
                        let (kind, id) =
                            switch subject {
                            case .key(let id): ("key", id)
                            case .providerProject(let id): ("provider-project", id)
                            }
                        let from = statement.from.map { calendar.day(of: Timestamp(seconds: $0)).description }
                        return [
                            .string(provider.rawValue), .string(kind), .string(id), .string(statement.value),
                            JSONValue(from),
                        ]
                    }
                }
                rows += found.sorted { ($0[1].text, $0[2].text) < ($1[1].text, $1[2].text) }
            }
            return rows
        }
    }
}
