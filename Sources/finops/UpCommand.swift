import ArgumentParser
import EventLog
import FinOps
import FoundationEssentials
import Runtime

/// Runs a pipeline in the foreground.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Runs the programs of a pipeline until it is told to stop.",
        discussion: """
            Starts them in their order, starts them again when they end, and shows what they say.
            SIGTERM or Ctrl-C stops them in reverse order.
            Examples:
              finops up --dir D
              finops up --dir D --pipeline Pipelines/demo.yaml
            """)

    @OptionGroup var options: GlobalOptions

    /// After this the start is over, whatever still waits for a program.
    private static let startSpan = Duration.seconds(5)

    func run() async throws {
        let directory = try options.initialisedDirectory()
        let topology = try Topology.load(options.pipeline ?? directory.pipeline, knownTypes: .finOps)
        let configuration = try Configuration.load(directory)
        try topology.checkZone(against: configuration)
        if let gap = try PipelineGap(of: topology), !gap.mayBeElsewhere, !options.quiet {
            Output.message("warning: \(topology.file): \(gap.problem); finops doctor names the remedy")
        }
        guard let lock = try FileLock(path: directory.supervisorLock) else {
            throw CommandFailure(
                .failure, "finops up already runs in \(directory.path)", hint: "look at it with: finops status")
        }
        defer { withExtendedLifetime(lock) {} }
        let clock = try topology.startClock(in: directory)
        let journal = SupervisionJournal(directory: directory)
        await journal.settle(ProcessBoard.load(from: directory))
        let supervisor = Supervisor(
            topology, try surroundings(topology, directory, configuration, clock, journal))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await forEachStopSignal { await supervisor.stop() } }
            group.addTask { await journal.keep() }
            group.addTask {
                do { try await Task.sleep(for: Self.startSpan) } catch { return }  // Stopped before.
                releaseStartMemory()
            }
            defer { group.cancelAll() }
            do { try await supervisor.run() } catch {
                await journal.end()
                throw error
            }
            await journal.end()
        }
        try clock.frozen().store(in: directory)
    }

    private func surroundings(
        _ topology: Topology, _ directory: StateDirectory, _ configuration: Configuration, _ clock: PipelineClock,
        _ journal: SupervisionJournal
    ) throws -> Supervisor.Surroundings {
        let prefix = LinePrefix(
            names: topology.processes.map(\.name), isColoured: Output.isColoured(terminal: Output.isErrorTerminal))
        return Supervisor.Surroundings(
            directory: directory, programs: try .beside(), clock: clock,
            environment: ProcessInfo.processInfo.environment,
            // What the operator wrote counts more than what the pipeline brings along.
            settings: { process in
                topology.settings(of: process).filter { configuration[$0.key].origin == .fallback }
            },
            line: { name, line in Output.message(prefix: prefix.text(name), line) },
            record: { journal.add($0) }, settle: { await journal.settled() })
    }
}

extension Set<String> {
    /// The event types there are.
    static let finOps = Set(EventCatalogue.knownTypes.map(\.text))
}
