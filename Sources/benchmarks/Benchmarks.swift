import ArgumentParser
import Glibc

/// Measures the product's figures, each beside its limit in the same run, and prints one JSON line per figure.
@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmarks",
        abstract: "Measures figures beside the limit of the raw libraries, in the same run on the same disk.",
        discussion: "Figures: \(Figure.all.map(\.name).joined(separator: ", ")). Run it through Ops/bench, in release.",
        subcommands: [
            Measure.self, SubscriberChild.self, ReaderChild.self, WatcherChild.self, IdleChild.self,
            HTTPUpstreamChild.self, SpoolChild.self,
        ],
        defaultSubcommand: Measure.self)
}

struct Measure: AsyncParsableCommand {
    @Argument(help: "Figures to measure; all without any.")
    var names: [String] = []

    @Flag(help: "Fewer events and runs: to see that it works, not to quote.")
    var quick = false

    @Option(help: "Where the files go; it should be the disk the log will be on.")
    var scratch = "/var/tmp"

    func validate() throws {
        for name in names where !Figure.all.contains(where: { $0.name == name }) {
            throw ValidationError(
                "no figure is called \(name); there are: \(Figure.all.map(\.name).joined(separator: ", "))")
        }
    }

    func run() async throws {
        let needed = 15 << 30
        guard let free = freeBytes(at: scratch) else {
            throw ValidationError("--scratch \(scratch) cannot be asked for its free space")
        }
        guard free >= needed else {
            throw ValidationError(
                "needs 15 GB free at \(scratch), there are \(free >> 30) GB; name another place with --scratch")
        }
        var missed = false
        for figure in Figure.all where names.isEmpty || names.contains(figure.name) {
            let bench = try Bench(quick: quick, scratch: scratch)
            defer { bench.cleanUp() }
            for result in try await figure.measure(bench) {
                print(result.line)
                missed = missed || !result.met
            }
            fflush(nil)
        }
        if missed { throw ExitCode(3) }
    }
}

/// One thing to measure: it may print several lines.
struct Figure: Sendable {
    let name: String
    let measure: @Sendable (Bench) async throws -> [Result]

    static let all: [Figure] = [
        Figure(name: "append", measure: AppendFigures.throughput),
        Figure(name: "latency", measure: AppendFigures.latency),
        Figure(name: "growth", measure: AppendFigures.growth),
        Figure(name: "fanout", measure: WireFigures.fanOut),
        Figure(name: "wire", measure: WireFigures.wireAlone),
        Figure(name: "catch-up", measure: ReadFigures.catchUp),
        Figure(name: "memory", measure: MemoryFigures.idle),
        Figure(name: "rebuild", measure: ProjectionFigures.rebuild),
        Figure(name: "rebuild-calls", measure: ProjectionFigures.rebuildCalls),
        Figure(name: "report", measure: ProjectionFigures.report),
        Figure(name: "evaluation", measure: EvaluationFigures.evaluation),
        Figure(name: "dry-run", measure: EvaluationFigures.dryRun),
        Figure(name: "alert-latency", measure: AlertFigures.latency),
        Figure(name: "spool", measure: SpoolFigures.append),
        Figure(name: "gateway", measure: GatewayFigures.figures),
    ]
}

private func freeBytes(at path: String) -> Int? {
    var information = statvfs()
    guard statvfs(path, &information) == 0 else { return nil }
    return Int(information.f_bavail) * Int(information.f_frsize)
}
