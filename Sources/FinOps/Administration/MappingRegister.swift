import EventLog
import SwiftProtobuf

/// Which project the keys and the projects of one provider pay for. The stream is `mapping-<provider>`.
package enum MappingRegister: Decider {
    /// What is mapped: a key, or everything in one of the provider's own projects. A key's own mapping wins.
    package enum Subject: Hashable, Sendable {
        /// By the provider's id of the key, never the key itself.
        case key(String)
        /// By the provider's id.
        case providerProject(String)
    }

    /// Each subject with what was said of it, in order.
    package typealias State = [Subject: DatedChoice]

    /// A person says which project pays for a subject.
    package struct Command: Sendable {
        /// From when a mapping holds.
        package enum Start: Hashable, Sendable {
            /// It holds for everything that was ever metered.
            case beginning
            /// Unix seconds.
            case at(Int64)
            /// From the beginning for what was never mapped, else from the start of the running business day (Unix seconds).
            case unsaid(startOfToday: Int64)
        }

        package var provider: String
        package var subject: Subject
        package var project: GivenName
        package var start: Start
        /// All there are.
        package var projects: Set<String>
        /// As the person gave it; it stays in the event.
        package var reason: String

        package init(
            provider: String, subject: Subject, project: GivenName, start: Start, projects: Set<String>, reason: String
        ) {
            self.provider = provider
            self.subject = subject
            self.project = project
            self.start = start
            self.projects = projects
            self.reason = reason
        }
    }

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .keyMapped(let mapped):
            state[.key(mapped.providerKeyID), default: DatedChoice()]
                .state(mapped.project, from: mapped.hasFrom ? mapped.from : nil)
        case .providerProjectMapped(let mapped):
            state[.providerProject(mapped.providerProjectID), default: DatedChoice()]
                .state(mapped.project, from: mapped.hasFrom ? mapped.from : nil)
        default: break
        }
    }

    /// - Returns: nothing when the mapping would change nothing at any time.
    /// - Throws: `unknownProject`.
    package static func decide(
        _ command: Command, _ state: State
    ) throws(AdministrationRejection) -> [FinOpsEvent] {
        guard command.projects.contains(command.project.text) else {
            throw .unknownProject(command.project.text, known: command.projects.sorted())
        }
        let choice = state[command.subject] ?? DatedChoice()
        let from: Int64? =
            switch command.start {
            case .beginning: nil
            case .at(let instant): instant
            case .unsaid(let startOfToday): choice.isEmpty ? nil : startOfToday
            }
        return choice.isAlready(command.project.text, from: from) ? [] : [event(for: command, from: from)]
    }

    private static func event(for command: Command, from: Int64?) -> FinOpsEvent {
        switch command.subject {
        case .key(let id):
            .keyMapped(
                .with {
                    $0.provider = command.provider
                    $0.providerKeyID = id
                    $0.project = command.project.text
                    if let from { $0.from = from }
                    $0.reason = command.reason
                })
        case .providerProject(let id):
            .providerProjectMapped(
                .with {
                    $0.provider = command.provider
                    $0.providerProjectID = id
                    $0.project = command.project.text
                    if let from { $0.from = from }
                    $0.reason = command.reason
                })
        }
    }
}
