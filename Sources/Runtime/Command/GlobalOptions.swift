package import ArgumentParser
import FoundationEssentials

/// The options every program takes.
package struct GlobalOptions: ParsableArguments {
    @Option(name: .customLong("dir"), help: "State directory (default: $FINOPS_HOME).")
    package var dir: String?

    @Option(name: .customLong("pipeline"), help: "Pipeline file (default: pipeline.yaml of the state directory).")
    package var pipeline: String?

    @Flag(name: .customLong("json"), help: "Print JSON.")
    package var json = false

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Say more on stderr.")
    package var verbose = false

    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Say nothing on stderr but errors.")
    package var quiet = false

    package init() {}

    /// The state directory that was asked for, whether it exists or not.
    /// - Throws: `CommandFailure` with `usage` if neither `--dir` nor `$FINOPS_HOME` names one.
    package func stateDirectory(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> StateDirectory {
        if let dir, !dir.isEmpty { return StateDirectory(path: dir) }
        if let home = environment["FINOPS_HOME"], !home.isEmpty { return StateDirectory(path: home) }
        throw CommandFailure(.usage, "no state directory: give --dir D or set FINOPS_HOME")
    }

    /// The state directory, which `finops init` must have made.
    /// - Throws: `CommandFailure` if it is not named, not there, or open to others.
    package func initialisedDirectory() throws -> StateDirectory {
        let directory = try stateDirectory()
        try directory.checkInitialised()
        return directory
    }
}
