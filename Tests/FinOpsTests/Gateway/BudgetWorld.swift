import EventLog
import FinOps
import SwiftProtobuf
import TestSupport

/// A log, and the budget of one gateway that reads it; calls that are asked for, granted and ended.
struct BudgetWorld {
    /// In nano-dollars.
    static let cent: Int64 = 10_000_000
    /// 2026-11-20 12:00 in Seoul.
    static let noon = Timestamp(seconds: 1_795_143_600)

    var log = TestLog()
    var budget: Budget
    var calls = 0
    let terms: BudgetTerms

    init(_ events: FinOpsEvent..., unpricedPerMillion: Int64 = 0) {
        terms = BudgetTerms(unpricedPerMillion: unpricedPerMillion)
        budget = Budget(gateway: "a", terms: terms)
        for event in [Gatewayed.added("chat", team: "apps"), Gatewayed.added("draw", team: "apps")] + events {
            tell(event, to: "any", at: BudgetWorld.noon)
        }
        budget.beginSpending(at: BudgetWorld.noon.advanced(bySeconds: -3_600))
    }

    /// A limit a day, in cents.
    static func limit(
        _ cents: Int64, _ scope: CostScope = .project("chat"), policy: String = "block"
    ) -> FinOpsEvent {
        Watched.threshold(scope, daily: cents, policy: policy)
    }

    mutating func tell(_ event: FinOpsEvent, to stream: StreamName, at now: Timestamp) {
        guard let recorded = log.append(event, to: stream, at: now) else { return }
        budget.take(event, recorded)
    }

    /// Asks for a call until it is admitted or refused; the log grants whatever is asked.
    mutating func ask(
        _ cents: Int64, project: String = "chat", at now: Timestamp = BudgetWorld.noon
    ) -> (call: CallAttempt, answer: BudgetAnswer) {
        calls += 1
        let call = CallAttempt(call: "call-\(calls)", attempt: 1, started: now)
        while true {
            let answer = budget.reserve(call, project: project, bound: cents * BudgetWorld.cent, at: now)
            guard case .needsLease(let requests) = answer else { return (call, answer) }
            for request in requests { grant(request, at: now) }
        }
    }

    mutating func grant(_ request: LeaseRequest, at now: Timestamp) {
        let recorded = log.append(
            .budgetLeased(request.event), to: request.stream, at: now, expected: request.expected)
        guard let recorded else { return budget.failed(request) }
        budget.granted(request, position: recorded.position)
    }

    /// It ends, and its record reaches the log.
    mutating func end(
        _ call: CallAttempt, cents: Int64?, project: String = "chat", tokens: Int64 = 0,
        at now: Timestamp = BudgetWorld.noon
    ) {
        let event = Gatewayed.call(
            call.call, by: "a", project: project, started: Timestamp(microseconds: call.started),
            nanos: cents.map { $0 * BudgetWorld.cent },
            tokens: tokens)
        budget.settle(event)
        tell(.callRecorded(event), to: "calls", at: now)
    }

    /// What others take this gateway's part to be, in nano-dollars.
    func ownPart(at now: Timestamp) -> Int64 {
        let last = log.events.compactMap { event, _ -> WireBudgetLeased? in
            if case .budgetLeased(let lease) = event, lease.gateway == "a" { lease } else { nil }
        }.last
        return last.map { now.seconds < $0.expires ? $0.amount.nanos : 0 } ?? 0
    }

    /// What this gateway has leased, one after the other, in nano-dollars.
    var ownLeases: [Int64] {
        log.events.compactMap { event, _ in
            if case .budgetLeased(let lease) = event, lease.gateway == "a" { lease.amount.nanos } else { nil }
        }
    }

    /// What another gateway says.
    mutating func others(_ gateway: String, lease cents: Int64, until expires: Int64) {
        tell(
            .budgetLeased(
                .with {
                    ($0.scope, $0.name, $0.window, $0.firstDay) = ("project", "chat", "day", "2026-11-20")
                    ($0.zone, $0.gateway, $0.expires) = ("Asia/Seoul", gateway, expires)
                    ($0.amount.nanos, $0.amount.currency) = (cents * BudgetWorld.cent, "USD")
                }), to: .budget(.project("chat"), .day, firstDay: Day("2026-11-20")!), at: BudgetWorld.noon)
    }
}

/// Why a call was refused.
/// - Throws: `Unrefused` if it was not.
func reached(_ answer: BudgetAnswer) throws -> LimitReached {
    guard case .refused(let reached) = answer else { throw Unrefused(answer: answer) }
    return reached
}

private struct Unrefused: Error { let answer: BudgetAnswer }
