import Foundation
import Glibc
import Runtime

/// One run of one of our programs from its start to its end, with the most memory it ever held.
struct MeasuredProgram {
    let seconds: Double
    let peakMegabytes: Double
    /// What its peak had been when half of its time had passed.
    let peakMegabytesAtHalf: Double

    /// - Throws: `ProgramFailed` if it did not succeed.
    static func run(_ program: String, _ arguments: [String]) async throws -> MeasuredProgram {
        let path = try ProgramLocator.beside().path(of: program)
        let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nothing) }
        let start = ContinuousClock.now
        let child = try ChildProcess(.init(path: path, arguments: arguments, standardOutput: nothing))
        let watch = Task { await observe(child, since: start) }
        let exit = await child.waitForExit()
        let seconds = elapsed(since: start)
        let peaks = await watch.value
        guard exit.isSuccess else { throw ProgramFailed(program: program, exit: exit) }
        return MeasuredProgram(
            seconds: seconds, peakMegabytes: peaks.last?.megabytes ?? 0,
            peakMegabytesAtHalf: peaks.last { $0.seconds <= seconds / 2 }?.megabytes ?? peaks.first?.megabytes ?? 0)
    }

    private typealias Peak = (seconds: Double, megabytes: Double)

    /// Looked at twenty times a second, until the process is gone.
    private static func observe(_ child: ChildProcess, since start: ContinuousClock.Instant) async -> [Peak] {
        var peaks: [Peak] = []
        while child.exit == nil {
            if let megabytes = peakMegabytes(of: child.pid) { peaks.append((elapsed(since: start), megabytes)) }
            // A sample each 50 ms; nobody cancels it.
            try? await Task.sleep(for: .milliseconds(50))
        }
        return peaks
    }

    /// nil for a process that has ended: its file is gone then, which `try?` makes of it.
    private static func peakMegabytes(of pid: pid_t) -> Double? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") })
        else { return nil }
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }.map { $0 / 1_024 }
    }

    private static func elapsed(since start: ContinuousClock.Instant) -> Double {
        let (whole, fraction) = (ContinuousClock.now - start).components
        return Double(whole) + Double(fraction) * 1e-18
    }
}

struct ProgramFailed: Error { let program: String; let exit: ChildExit }
