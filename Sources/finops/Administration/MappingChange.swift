import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime

/// What `key map` and `project map` have in common.
struct MappingChange: ParsableArguments {
    @Option(help: "The provider.") var provider: Provider
    @Option(help: "The project that pays.") var project: String
    @Option(help: StartDay.help) var from: StartDay?
    @OptionGroup var options: AdministrationOptions

    /// - Throws: `CommandFailure` for what is no name; `AdministrationRejection` for a project that does not exist.
    func apply(to subject: MappingRegister.Subject) async throws {
        let project = try givenName(project, field: "--project")
        let outcome = try await AdministrationSession.run(options.global) { session in
            let projects = try await session.store.fold(.projects, with: ProjectRegister.self).state
            let events = try await session.decide(
                MappingRegister.self, on: .mapping(provider: provider.rawValue),
                .init(
                    provider: provider.rawValue, subject: subject, project: project,
                    start: start(in: session), projects: Set(projects.keys), reason: options.reason))
            return answer(to: events, subject, project: project, in: session)
        }
        try outcome.print(options.global)
    }

    private func start(in session: AdministrationSession) -> MappingRegister.Command.Start {
        guard let from else { return .unsaid(startOfToday: session.startOfToday) }
        return session.instant(of: from).map { .at($0) } ?? .beginning
    }

    private func answer(
        to events: [FinOpsEvent], _ subject: MappingRegister.Subject, project: GivenName,
        in session: AdministrationSession
    ) -> Answer {
        let (noun, field, id) =
            switch subject {
            case .key(let id): ("key", "provider_key_id", id)
            case .providerProject(let id): ("provider project", "provider_project_id", id)
            }
        var members: [JSONValue.Member] = [
            .init("provider", .string(provider.rawValue)), .init(field, .string(id)),
            .init("project", .string(project.text)),
        ]
        var since = ""
        switch events.first {
        case .keyMapped(let mapped):
            since = " " + session.since(mapped.hasFrom ? mapped.from : nil)
            members.append(.init("from", JSONValue(session.day(mapped.hasFrom ? mapped.from : nil))))
        case .providerProjectMapped(let mapped):
            since = " " + session.since(mapped.hasFrom ? mapped.from : nil)
            members.append(.init("from", JSONValue(session.day(mapped.hasFrom ? mapped.from : nil))))
        default: break
        }
        return Answer(changed: !events.isEmpty, "\(noun) \(id) pays for project \"\(project)\"\(since)", members)
    }
}

extension AdministrationSession {
    /// The business day in which an instant lies; nil for the beginning.
    nonisolated func day(_ instant: Int64?) -> String? {
        instant.map { calendar.day(of: Timestamp(seconds: $0)).description }
    }

    nonisolated func since(_ instant: Int64?) -> String { day(instant).map { "from \($0) on" } ?? "from the beginning" }
}
