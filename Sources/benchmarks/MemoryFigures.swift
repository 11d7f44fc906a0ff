import ArgumentParser
import Foundation
import JSON
import Runtime

enum MemoryFigures {
    private static let readyLimit = Duration.seconds(60)
    /// What the start needed is given back by then.
    private static let idleSpan = Duration.seconds(12)
    private static let bytesInMegabyte = 1_048_576.0

    /// Proportional set size of every program under `finops up` that has been idle, beside an empty Foundation program's.
    static func idle(_ bench: Bench) async throws -> [Result] {
        let directory = StateDirectory(path: bench.fresh("idle").path)
        let finops = try ProgramLocator.beside().path(of: "finops")
        let initialised = try ChildProcess(.init(path: finops, arguments: ["init", "-q", "--dir", directory.path]))
        guard await initialised.waitForExit().isSuccess else { throw ChildGone(exit: initialised.exit) }
        let up = try ChildProcess(.init(path: finops, arguments: ["up", "--dir", directory.path], hasLifeline: true))
        do {
            let pids = try await readyProcesses(of: directory, up: up)
            try await Task.sleep(for: idleSpan)
            var empty: [Double] = []
            var medians: [Double] = []
            var greatest: [Double] = []
            for _ in 0..<bench.runs {
                empty.append(try await emptyProgram())
                let programs = Samples(try pids.map(megabytes))
                medians.append(programs.median)
                greatest.append(programs.max)
            }
            _ = await up.stop()
            return [
                Result(
                    figure: "idle memory, median over \(pids.count) programs", value: Samples(medians),
                    unit: "MB (PSS)",
                    limit: Samples(empty), bound: .atMost(20), note: "limit: an empty Foundation program"),
                Result(
                    figure: "idle memory, the largest program", value: Samples(greatest), unit: "MB (PSS)",
                    limit: Samples(empty), bound: .atMost(32), note: "limit: an empty Foundation program"),
            ]
        } catch {
            _ = await up.stop()
            throw error
        }
    }

    /// The supervisor's process and its children's, once all are ready.
    private static func readyProcesses(of directory: StateDirectory, up: ChildProcess) async throws -> [Int32] {
        let deadline = ContinuousClock.now + readyLimit
        while ContinuousClock.now < deadline, up.exit == nil {
            if let board = ProcessBoard.load(from: directory), board.entries.allSatisfy({ $0.state == .ready }) {
                return [up.pid] + board.entries.compactMap(\.pid)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw ChildGone(exit: up.exit)
    }

    private static func emptyProgram() async throws -> Double {
        let child = try SelfChild(["idle-child"])
        try await child.signal()
        let value = try megabytes(of: child.process.pid)
        child.process.send(SIGKILL)
        await child.finish()
        return value
    }

    private static func megabytes(of pid: Int32) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Pss:") }
        let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .nan
        return kilobytes * 1_024 / bytesInMegabyte
    }
}

/// A program that has used Foundation and does nothing more.
struct IdleChild: ParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    func run() throws {
        guard Date().ISO8601Format().isEmpty else {
            signalParent()
            while true { pause() }
        }
    }
}
