import ArgumentParser
import EventLog
import FinOps
import Foundation
import JSON
import Metering
import Runtime
import Vault

extension KeyCommand {
    struct Issue: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issues a key of the gateway for a project, and shows it this once.",
            discussion: """
                An application calls the gateway with it. Its project pays for every call and stays the same for ever. \
                Models and routes are names or patterns, in which * is any run of characters and # one digit.
                Examples:
                  finops key issue --project chatbot --json
                  finops key issue --project chatbot --models 'gpt-4o*,o3' --expires 2027-12-31 --requests-per-minute 600
                """)

        @Option(help: "The project that pays.") var project: String
        @Option(help: "A name for people, such as the application's.") var name: String?
        @Option(help: "The only models it may ask for, with commas between them.") var models: String?
        @Option(help: "The only routes it may call, such as /v1/chat/completions, with commas between them.")
        var routes: String?
        @Option(help: "The last day on which it is accepted, YYYY-MM-DD in the business zone.") var expires: GivenDay?
        @Option(name: .customLong("requests-per-minute"), help: "At all gateways together, in equal parts.")
        var requestsPerMinute: UInt32?
        @Option(name: .customLong("tokens-per-minute"), help: "Input and output, likewise.") var tokensPerMinute:
            UInt32?
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let directory = try options.global.initialisedDirectory()
            let vault = try SecretStore.local(of: directory)
            var wanted = try wanted()
            try await AdministrationSession.run(options.global, as: acting) { session in
                var random = SystemRandomNumberGenerator()
                wanted.key = "key-" + EventID.v7(at: session.now, using: &random).description.filter { $0 != "-" }
                if let last = expires?.value {
                    wanted.expires = session.calendar.start(of: last.advanced(by: 1)).seconds
                }
                let projects = Set(try await session.store.fold(.projects, with: ProjectRegister.self).state.keys)
                // Asked before anything is made for it.
                _ = try KeyRegister.decide(session.command(wanted.key, .issue(wanted, projects: projects)), nil)
                let key = try await NewKey.make(in: session, vault, directory, reason: options.reason)
                wanted.prefix = key.prefix
                wanted.hash = Data(key.hash.bytes)
                _ = try await session.decide(
                    KeyRegister.self, on: .key(wanted.key),
                    session.command(wanted.key, .issue(wanted, projects: projects)))
                // At once: what may fail from here on must not take the key with it.
                try key.show(
                    "\(wanted.key) is a key of project \"\(wanted.project)\"",
                    Self.members(wanted, session.calendar), options.global)
            }
        }

        private func wanted() throws -> WireKeyIssued {
            var wanted = WireKeyIssued()
            wanted.project = try givenName(project, field: "--project").text
            if let name { wanted.name = try givenName(name, field: "--name").text }
            wanted.models = try Self.list(models, option: "--models") { _ in true }
            wanted.routes = try Self.list(routes, option: "--routes") { _ in true }
            let isServed = { (entry: String) in Route.all.contains { KeyFacts.entry(entry, means: $0.name) } }
            if let route = wanted.routes.first(where: { !isServed($0) }) {
                let names = Set(Route.all.map(\.name)).sorted().joined(separator: ", ")
                throw CommandFailure(
                    .usage, "--routes: \"\(route)\" is no route of the gateway", hint: "it serves \(names)")
            }
            wanted.requestsPerMinute = try Self.rate(requestsPerMinute, option: "--requests-per-minute")
            wanted.tokensPerMinute = try Self.rate(tokensPerMinute, option: "--tokens-per-minute")
            wanted.reason = options.reason
            return wanted
        }

        /// In events 0 is no limit, which is not what somebody means who asks for 0.
        private static func rate(_ rate: UInt32?, option: String) throws -> UInt32 {
            guard rate != 0 else {
                throw CommandFailure(
                    .usage, "\(option): 0 lets nothing through; leave it out for no limit, or do not issue the key")
            }
            return rate ?? 0
        }

        private static let mostNames = 100

        /// Names as people write them into one word.
        private static func list(_ text: String?, option: String, isRight: (String) -> Bool) throws -> [String] {
            guard let text else { return [] }
            let names = text.split(separator: ",", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            guard names.count <= mostNames, names.allSatisfy({ (1...200).contains($0.utf8.count) && isRight($0) }),
                names.allSatisfy({ $0.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F } })
            else {
                let form = option == "--routes" ? "/v1/chat/completions,/v1/embeddings" : "gpt-4o,gpt-4o-mini*"
                throw CommandFailure(
                    .usage,
                    "\(option): \"\(text.prefix(200))\" is no list of 1 to \(mostNames) names; write it like \(form)")
            }
            return names
        }

        private static func members(_ issued: WireKeyIssued, _ calendar: BusinessCalendar) -> [JSONValue.Member] {
            let lastDay = issued.hasExpires ? calendar.day(of: Timestamp(seconds: issued.expires - 1)) : nil
            return [
                .init("id", .string(issued.key)), .init("project", .string(issued.project)),
                .init("name", issued.name.isEmpty ? .null : .string(issued.name)),
                .init("models", .array(issued.models.map(JSONValue.string))),
                .init("routes", .array(issued.routes.map(JSONValue.string))),
                .init("expires", JSONValue(lastDay?.description)),
                .init(
                    "requests_per_minute", issued.requestsPerMinute == 0 ? .null : .integer(issued.requestsPerMinute)),
                .init("tokens_per_minute", issued.tokensPerMinute == 0 ? .null : .integer(issued.tokensPerMinute)),
            ]
        }
    }
}

extension AdministrationSession {
    /// What this person asks of a key now.
    nonisolated func command(_ id: String, _ change: KeyRegister.Command.Change) -> KeyRegister.Command {
        KeyRegister.Command(id, change, by: actor, at: now)
    }
}
