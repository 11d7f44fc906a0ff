import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Vault

extension KeyCommand {
    struct Reactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a disabled key be used again, when two people want it.",
            subcommands: [Request.self, Approve.self])

        struct Request: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Asks for a disabled key to be used again.",
                discussion: "Example: finops key reactivate request key-0192f3a4… --reason \"loop is mended\"")

            @Argument(help: "The key's id.") var id: String
            @OptionGroup var acting: ActingOptions
            @OptionGroup var options: AdministrationOptions

            func run() async throws {
                try options.checkReason()
                let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                    let events = try await session.decide(
                        KeyRegister.self, on: .key(id),
                        session.command(id, .requestReactivation(reason: options.reason)))
                    return Answer(
                        changed: !events.isEmpty, "an administrator other than you may approve \(id) now",
                        [.init("id", .string(id)), .init("requested_by", .string(session.actor))])
                }
                try answer.print(options.global)
            }
        }

        struct Approve: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Answers somebody else's request: the key is accepted again.",
                discussion: """
                    Only an administrator may, and never who asked for it.
                    Example: finops key reactivate approve key-0192f3a4… --as 5f2a… --token-file token.txt
                    """)

            @Argument(help: "The key's id.") var id: String
            @OptionGroup var acting: ActingOptions
            @OptionGroup var options: AdministrationOptions

            func run() async throws {
                let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
                let answer = try await AdministrationSession.run(options.global, as: acting) { session in
                    let administrators = try await Person.administrators(in: vault)
                    do {
                        let events = try await session.decide(
                            KeyRegister.self, on: .key(id),
                            session.command(
                                id, .approveReactivation(administrators: administrators, reason: options.reason)))
                        return Answer(
                            changed: !events.isEmpty, "\(id) is accepted again",
                            [.init("id", .string(id)), .init("approved_by", .string(session.actor))])
                    } catch let rejection as KeyRejection {
                        guard rejection == .notAdministrator || rejection == .ownRequest(id) else { throw rejection }
                        throw CommandFailure(.notAuthorised, rejection.description)
                    }
                }
                try answer.print(options.global)
            }
        }
    }
}
