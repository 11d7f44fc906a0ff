import EventLog
import FinOps
import JSON
import Runtime
import Stages

/// What a command's collections came to, for people and machines.
struct CollectionOutcome {
    let reports: [CollectionReport]

    /// Prints it, and ends with the code of what failed.
    /// - Throws: `CommandFailure` if any account failed.
    func tell(_ options: GlobalOptions) throws {
        if options.json {
            try Output.line(document.prettyText)
        } else if !options.quiet {
            for report in reports { Output.message(sentence(report)) }
        }
        guard let status = exitStatus else { return }
        let failures = reports.compactMap { report in report.failure.map { "\(report.account.name): \($0)" } }
        throw CommandFailure(status, failures.joined(separator: "\n"), hint: hint(status))
    }

    /// A refused key needs a person and is told first; what passes by itself only counts where nothing else failed.
    private var exitStatus: ExitStatus? {
        let failures = reports.compactMap(\.failure)
        if failures.isEmpty { return nil }
        if failures.contains(where: { $0.kind == .notAuthorised }) { return .notAuthorised }
        if failures.contains(where: { $0.kind == .cancelled }) { return .cancelled }
        return failures.allSatisfy(\.isRetriable) ? .tryAgain : .failure
    }

    private func hint(_ status: ExitStatus) -> String? {
        switch status {
        case .notAuthorised: "find out why: ingest-openai check"
        case .tryAgain: "what was committed stays; run the same command again later"
        default: nil
        }
    }

    private func sentence(_ report: CollectionReport) -> String {
        let days =
            report.days.lowerBound == report.days.upperBound
            ? "\(report.days.lowerBound)" : "\(report.days.lowerBound) to \(report.days.upperBound)"
        let retries = report.effort.retries > 0 ? ", \(report.effort.retries) of them again" : ""
        let figures =
            "\(report.account.name) \(days): \(report.rows) rows, \(report.recorded) new, \(report.restated) restated "
            + "(\(report.effort.requests) requests\(retries))"
        return ([figures] + report.notes.map { "  note: \($0)" }).joined(separator: "\n")
    }

    private var document: JSONValue {
        [
            "ok": .bool(reports.allSatisfy { $0.failure == nil }),
            "runs": .array(reports.map { Self.document(of: $0) }),
        ]
    }

    private static func document(of report: CollectionReport) -> JSONValue {
        [
            "account": .string(report.account.name), "run": .string(report.run.description),
            "kind": .string(report.kind.rawValue), "from": .string(report.days.lowerBound.description),
            "to": .string(report.days.upperBound.description), "rows": .integer(report.rows),
            "recorded": .integer(report.recorded), "restated": .integer(report.restated),
            "requests": .integer(report.effort.requests), "retries": .integer(report.effort.retries),
            "notes": .array(report.notes.map { .string($0) }), "error": document(of: report.failure),
        ]
    }

    private static func document(of failure: SourceFailure?) -> JSONValue {
        guard let failure else { return .null }
        return [
            "code": .string(failure.code), "message": .string(failure.message),
            "retriable": .bool(failure.isRetriable),
        ]
    }
}
