import EventLog
import SwiftProtobuf

/// Notices days of which too much is unexplained: estimates, usage and bill differ by more than their quantities tell. Pure:
/// it is told what was found, and says which conditions begin and end. A fold of `condition-costs-unexplained`.
package struct UnexplainedWatch: Sendable {
    /// The kind of its conditions; their subject is `<provider>/<UTC day>`.
    package static let condition = "costs-unexplained"

    /// What a reconciliation found about all accounts of one provider on one UTC day; nano-units, without signs.
    package struct Finding: Hashable, Sendable {
        package let provider: String
        package let day: Day
        package let unexplained: Int128
        /// What it is a share of.
        package let whole: Int128

        package init(provider: String, day: Day, unexplained: Int128, whole: Int128) {
            self.provider = provider
            self.day = day
            self.unexplained = unexplained
            self.whole = whole
        }

        fileprivate var subject: String { "\(provider)/\(day)" }
    }

    /// 10⁻⁹ per cent.
    private let limit: Int64
    private var raised: [String: WireConditionRaised] = [:]

    /// - Parameter percentNanos: more than this share is too much, in 10⁻⁹ per cent.
    package init(above percentNanos: Int64) { limit = percentNanos }

    package mutating func evolve(_ event: FinOpsEvent) {
        switch event {
        case .conditionRaised(let event) where event.kind == Self.condition: raised[event.subject] = event
        case .conditionEnded(let event) where event.kind == Self.condition: raised[event.subject] = nil
        default: break
        }
    }

    /// - Parameter findings: of every provider and day that is looked at; a condition about any other day ends.
    /// - Returns: conditions that begin or end, in the order of their subjects.
    package func decide(_ findings: [Finding]) -> [FinOpsEvent] {
        let known = Dictionary(findings.map { ($0.subject, $0) }) { first, _ in first }
        return Set(raised.keys).union(known.keys).sorted().compactMap { subject in
            let finding = known[subject]
            switch (raised[subject], finding.map(isTooMuch) ?? false) {
            case (nil, true): return finding.map { begin($0) }
            case (let event?, false):
                return end(event, finding.map(detail) ?? "it is not among the days that are looked at any more")
            default: return nil
            }
        }
    }

    private func isTooMuch(_ finding: Finding) -> Bool {
        finding.unexplained * 100_000_000_000 > finding.whole * Int128(limit)
    }

    private func detail(_ finding: Finding) -> String {
        // Whoever reads it sees the amounts; the share is for the eye.
        let hundredths =
            finding.whole == 0
            ? nil : DecimalText.divideHalfEven(finding.unexplained * 10_000, by: finding.whole)
        let share = hundredths.map { " (\(Self.twoDecimals($0)) %)" } ?? ""
        return "unexplained are \(NanoText.text(finding.unexplained)) of \(NanoText.text(finding.whole)) USD\(share)"
    }

    private static func twoDecimals(_ hundredths: Int128) -> String {
        let cents = hundredths % 100
        return "\(hundredths / 100).\(cents < 10 ? "0" : "")\(cents)"
    }

    private func begin(_ finding: Finding) -> FinOpsEvent {
        .conditionRaised(
            .with {
                $0.kind = Self.condition
                $0.subject = finding.subject
                $0.since = finding.day.utcStart.seconds
                $0.detail = detail(finding)
            })
    }

    private func end(_ event: WireConditionRaised, _ detail: String) -> FinOpsEvent {
        .conditionEnded(
            .with {
                $0.kind = Self.condition
                $0.subject = event.subject
                $0.since = event.since
                $0.detail = detail
            })
    }
}
