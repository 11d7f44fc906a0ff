import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct UnexplainedWatchTests {
    private static let percent: Int64 = 1_000_000_000

    private func found(_ unexplained: Int128, of whole: Int128, on text: String = "2026-11-20")
        -> UnexplainedWatch.Finding
    {
        .init(provider: "openai", day: day(text), unexplained: unexplained, whole: whole)
    }

    /// - Returns: in words, and folded.
    private func decide(_ watch: inout UnexplainedWatch, _ findings: UnexplainedWatch.Finding...) -> [String] {
        watch.decide(findings).map { event in
            watch.evolve(event)
            switch event {
            case .conditionRaised(let event): return "+ \(event.kind) \(event.subject) \(event.detail)"
            case .conditionEnded(let event): return "- \(event.kind) \(event.subject) \(event.detail)"
            default: return "?"
            }
        }
    }

    @Test func moreThanTheShareIsRaisedOnceAndEndsWhenItIsExplained() {
        var watch = UnexplainedWatch(above: Self.percent)
        #expect(decide(&watch, found(10, of: 1_000)).isEmpty, "exactly the share is not more")
        #expect(
            decide(&watch, found(11_000_000, of: 1_000_000_000)) == [
                "+ costs-unexplained openai/2026-11-20 unexplained are 0.011000000 of 1.000000000 USD (1.10 %)"
            ])
        #expect(decide(&watch, found(500_000_000, of: 1_000_000_000)).isEmpty)
        #expect(
            decide(&watch, found(0, of: 1_000_000_000)) == [
                "- costs-unexplained openai/2026-11-20 unexplained are 0.000000000 of 1.000000000 USD (0.00 %)"
            ])
    }

    @Test func aDayThatIsNotLookedAtAnyMoreEnds() {
        var watch = UnexplainedWatch(above: Self.percent)
        _ = decide(&watch, found(5, of: 10), found(5, of: 10, on: "2026-11-21"))
        #expect(
            decide(&watch, found(5, of: 10, on: "2026-11-21")) == [
                "- costs-unexplained openai/2026-11-20 it is not among the days that are looked at any more"
            ])
    }

    @Test func whatNothingIsTheWholeOfIsTooMuchIfThereIsAny() {
        var watch = UnexplainedWatch(above: Self.percent)
        #expect(decide(&watch, found(0, of: 0)).isEmpty)
        #expect(decide(&watch, found(1, of: 0)).count == 1)
    }

    @Test func conditionsOfOtherKindsAreLeftAlone() {
        var watch = UnexplainedWatch(above: Self.percent)
        watch.evolve(.conditionRaised(.with { ($0.kind, $0.subject) = ("source-silent", "openai/acme") }))
        #expect(watch.decide([]).isEmpty)
    }
}
