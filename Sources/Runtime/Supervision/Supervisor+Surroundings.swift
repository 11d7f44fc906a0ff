extension Supervisor {
    /// What the supervisor works with; tests put their own in.
    package struct Surroundings: Sendable {
        package var directory: StateDirectory
        package var programs: ProgramLocator
        package var clock: PipelineClock
        /// What every process gets; a process's own settings come over it.
        package var environment: [String: String]
        /// Settings by process name, for those on which the configuration is silent.
        package var settings: @Sendable (Topology.Process) -> [String: String]
        /// Gets the name of a process and one line of its output.
        package var line: @Sendable (String, String) -> Void
        /// Gets what the log should know; must not wait for the log, which may be down.
        package var record: @Sendable (SupervisionFact) -> Void
        /// Returns when what was recorded is in the log, or after a moment: called before the log itself is stopped.
        package var settle: @Sendable () async -> Void

        package init(
            directory: StateDirectory, programs: ProgramLocator, clock: PipelineClock, environment: [String: String],
            settings: @escaping @Sendable (Topology.Process) -> [String: String] = { _ in [:] },
            line: @escaping @Sendable (String, String) -> Void,
            record: @escaping @Sendable (SupervisionFact) -> Void = { _ in },
            settle: @escaping @Sendable () async -> Void = {}
        ) {
            self.directory = directory
            self.programs = programs
            self.clock = clock
            self.environment = environment
            self.settings = settings
            self.line = line
            self.record = record
            self.settle = settle
        }
    }
}
