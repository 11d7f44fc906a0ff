import Foundation
import Glibc

/// What the system says of a process and its children.
enum ProcessCost {
    /// Processor seconds so far.
    static func cpuSeconds(_ pid: pid_t) -> Double {
        family(of: pid).reduce(0) { sum, pid in
            guard let stat = text("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return sum }
            let fields = stat[end...].split(separator: " ")
            guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return sum }
            return sum + (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    static func residentMegabytes(_ pid: pid_t) -> Double {
        guard let line = text("/proc/\(pid)/status")?.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Double($0) })
        else { return .nan }
        return kilobytes / 1_024
    }

    private static func family(of pid: pid_t) -> [pid_t] {
        let children = text("/proc/\(pid)/task/\(pid)/children") ?? ""
        return [pid] + children.split(separator: " ").compactMap { pid_t($0) }
    }

    /// nil for a process that is gone.
    private static func text(_ path: String) -> String? {
        do { return try String(contentsOfFile: path, encoding: .utf8) } catch { return nil }
    }
}
