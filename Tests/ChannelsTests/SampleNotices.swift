import EventLog
import FinOps
import Foundation
import JSON
import Notices
import Secret
import SwiftProtobuf
import Testing

@testable import Channels

func secret(_ text: String) -> Secret { Secret(Array(text.utf8)) }

/// A fixed moment: 2026-11-22T08:00:00Z.
let moment = Timestamp(seconds: 1_795_334_400)

func notice(
    id: String = "0197a3f0-0000-7000-8000-000000000001", destination: String = "mail-ko", _ events: FinOpsEvent...,
    mayRepeat: Bool = false, at: Timestamp = moment
) -> Notice {
    let facts = events.enumerated().map { index, event in
        Notice.Fact(
            kind: .crossed, event: event, position: Position(UInt64(index + 1)),
            recorded: Timestamp(seconds: 1_795_334_390))
    }
    return Notice(
        id: id, destination: destination,
        facts: facts.isEmpty ? [.init(kind: .test, event: nil, position: .start, recorded: moment)] : facts,
        mayRepeat: mayRepeat, at: at)
}

func crossed(_ project: String, day: String = "2026-11-22", level: UInt32 = 100) -> FinOpsEvent {
    .thresholdCrossed(
        .with {
            ($0.scope, $0.name, $0.window, $0.firstDay, $0.zone) = ("project", project, "day", day, "Asia/Seoul")
            ($0.windowStart, $0.windowEnd, $0.level) = (1_795_273_200, 1_795_359_600, level)
            $0.limit = .with { ($0.nanos, $0.currency) = (10_000_000_000, "USD") }
            $0.cost = .with { ($0.nanos, $0.currency) = (12_340_000_000, "USD") }
        })
}

func cleared(_ project: String, day: String = "2026-11-22") -> FinOpsEvent {
    .thresholdCleared(
        .with {
            ($0.scope, $0.name, $0.window, $0.firstDay, $0.zone) = ("project", project, "day", day, "Asia/Seoul")
            ($0.level, $0.reason) = (100, "cost")
        })
}

func fixture(_ path: String) throws -> [UInt8] {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/\(path)", withExtension: nil))
    return Array(try Data(contentsOf: url))
}

extension DeliveryOutcome {
    var failure: DeliveryFailure? {
        guard case .failed(let failure) = self else { return nil }
        return failure
    }

    var answer: String? {
        guard case .delivered(let answer) = self else { return nil }
        return answer
    }
}
