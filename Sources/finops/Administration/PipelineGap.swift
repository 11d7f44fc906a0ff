import Runtime

/// Programs of the default pipeline that a pipeline file does not run: one written by an earlier version knows nothing of
/// programs that came later.
struct PipelineGap {
    /// As the default pipeline names them, in its order.
    let missing: [String]
    /// Whether they may run on another machine: the log is open to the network.
    let mayBeElsewhere: Bool

    /// - Throws: `DocumentProblems` if the default pipeline, which is compiled in, cannot be read.
    /// - Returns: nil where nothing is missing, and for a pipeline that is not to be complete: a demo, or one whose log is
    ///   on another machine.
    init?(of topology: Topology) throws {
        guard !topology.isDemo, topology.processes.contains(where: { $0.runs("event-log") }) else { return nil }
        let all = try Topology.parse(DefaultFiles.pipeline, file: "the default pipeline").processes
        missing = all.compactMap { process in
            guard let program = process.command.first, !topology.processes.contains(where: { $0.runs(program) }) else {
                return nil
            }
            return program
        }
        guard !missing.isEmpty else { return nil }
        mayBeElsewhere = topology.endpoints.contains { $0.address.hasPrefix("tcp://") }
    }

    var problem: String { "it does not run \(missing.joined(separator: ", "))" }

    /// The file is people's: they carry over what they had changed.
    static func remedy(_ directory: StateDirectory) -> String {
        let file = directory.pipeline
        return "mv \(file) \(file).before && finops init --dir \(directory.path), carry over what "
            + "`diff \(file).before \(file)` shows to be yours, then start finops up again"
    }
}

extension Topology.Process {
    /// Beside the running program, or with its path.
    fileprivate func runs(_ program: String) -> Bool {
        command.first.map { $0.split(separator: "/").last.map(String.init) == program } ?? false
    }
}
