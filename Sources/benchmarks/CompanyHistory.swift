import EventLog
import FinOps
import Foundation
import Runtime
import Storage
import SwiftProtobuf

/// The log that a company of 600 keys in 40 provider projects leaves behind, up to today: in every hour 1,000 of its 1,800
/// combinations of key and model were busy, never the same ones as in the hour before, and of every day 1.5 % of the rows
/// are restated two days later. So nearly every usage event is a row of its own, as it is in life.
struct CompanyHistory {
    let usageEvents: Int
    /// The UTC day that the history ends with.
    let today: Day

    private static let account = "acme"
    private static let projects = 40
    private static let keys = 600
    private static let modelsOfKey = 3
    private static let busyAnHour = 1_000
    private static let restatedADay = 360
    private static let models = [
        "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "o3", "o4-mini",
        "text-embedding-3-large", "text-embedding-3-small", "in-house-preview",
    ]

    private var eventsADay: Int { 24 * Self.busyAnHour + Self.restatedADay }
    private var days: Int { (usageEvents + eventsADay - 1) / eventsADay }

    /// Writes it as a log that nobody serves: the events of the next day are made while a day is being written.
    func write(to directory: StateDirectory) async throws {
        try directory.prepare()
        let log = try SQLiteLog(files: LogFiles(database: directory.logDatabase)) { wallTime() }
        let session = try log.openSession("history")
        var sequence: UInt64 = 0
        var left = usageEvents
        var requests = [[StreamAppend(StreamName("attribution"), assignments)]]
        for index in 0...days {
            async let following = self.requests(ofDay: index, atMost: left)
            for request in requests {
                sequence += 1
                let outcome = log.append(group: [AppendRequest(session: session, sequence: sequence, request)])
                for result in outcome.results { _ = try result.get() }
            }
            requests = await following
            left -= requests.joined().reduce(0) { $0 + $1.events.count }
        }
    }

    /// - Parameter index: 0 is the first day; beyond the last one there is nothing.
    private func requests(ofDay index: Int, atMost limit: Int) async -> [[StreamAppend]] {
        guard index < days, limit > 0 else { return [] }
        let day = today.advanced(by: index + 1 - days)
        let identity = UInt64(index + 1) << 32
        var recorded: [NewEvent] = []
        for hour in 0..<24 {
            for row in busyRows(day, hour: hour) {
                recorded.append(event(recorded: row, id: identity + UInt64(recorded.count)))
            }
        }
        let earlier = index < 2 ? [] : restatements(of: day.advanced(by: -2), id: identity + 1 << 24)
        recorded = Array(recorded.prefix(limit))
        let restated = Array(earlier.prefix(limit - recorded.count))
        return Self.split(recorded, StreamName("usage-\(Self.account)-\(day)"))
            + Self.split(restated, StreamName("usage-\(Self.account)-\(day.advanced(by: -2))"))
    }

    private static func split(_ events: [NewEvent], _ stream: StreamName) -> [[StreamAppend]] {
        stride(from: 0, to: events.count, by: EventLimits.requestEvents).map {
            [StreamAppend(stream, Array(events[$0..<min($0 + EventLimits.requestEvents, events.count)]))]
        }
    }

    private func busyRows(_ day: Day, hour: Int) -> [WireUsageRow] {
        let combinations = Self.keys * Self.modelsOfKey
        return (0..<Self.busyAnHour).map { place in
            // 1,009 is prime to 1,800, so an hour's combinations are all different.
            row(day, hour: hour, combination: (place * 1_009 + hour * 37 + day.number * 101) % combinations)
        }
    }

    private func row(_ day: Day, hour: Int, combination: Int, grown: Int64 = 0) -> WireUsageRow {
        let key = combination / Self.modelsOfKey
        let model = Self.models[(key * 5 + combination % Self.modelsOfKey) % Self.models.count]
        // About one row in a hundred has no price.
        let isPriced = model != "in-house-preview" || key % 8 != 0
        let size = Int64((combination * 7_919 + hour * 104_729 + day.number * 1_299_709) % 99_991) + grown
        return .with {
            $0.provider = "openai"
            $0.account = Self.account
            $0.kind = model.hasPrefix("text-embedding") ? "embeddings" : "completions"
            $0.bucketStart = day.utcStart.seconds + Int64(hour) * 3_600
            $0.bucketEnd = $0.bucketStart + 3_600
            $0.projectID = "proj_Zr4kq8TnW2x\(key % Self.projects)"
            $0.apiKeyID = "key_N5vPq0sYc7L\(key)"
            $0.model = model
            if $0.kind == "completions" {
                $0.batch = key % 10 == 0
                $0.serviceTier = "default"
            }
            $0.quantities = .with {
                $0.requests = 1 + size / 900
                $0.inputTokens = 400 + size * 17
                $0.cachedInputTokens = size * 6
                $0.outputTokens = size * 3
            }
            if isPriced {
                $0.cost = .with {
                    $0.nanos = 123_457 + size * 41_250
                    $0.currency = "USD"
                }
                $0.priceVersion = "2026-10-19"
            } else {
                $0.unpricedReason = "no price for this model"
            }
        }
    }

    private func event(recorded row: WireUsageRow, id: UInt64) -> NewEvent {
        let observed = Timestamp(seconds: row.bucketEnd + 9 * 3_600)
        return FinOpsEvent.usageRecorded(
            .with {
                $0.row = row
                $0.observed = observed.seconds
            }
        ).newEvent(id: EventID(high: id, low: 1), occurred: observed, actor: "ingest-openai")
    }

    private func restatements(of day: Day, id: UInt64) -> [NewEvent] {
        (0..<Self.restatedADay).map { number in
            let hour = number % 24
            let combination = (number / 24 * 1_009 + hour * 37 + day.number * 101) % (Self.keys * Self.modelsOfKey)
            let before = row(day, hour: hour, combination: combination)
            let after = row(day, hour: hour, combination: combination, grown: 11)
            let observed = Timestamp(seconds: before.bucketEnd + 57 * 3_600)
            return FinOpsEvent.usageRestated(
                .with {
                    $0.row = after
                    $0.observed = observed.seconds
                    $0.previous = before.quantities
                    if before.hasCost { $0.previousCost = before.cost }
                    $0.difference = .with {
                        $0.nanos = after.cost.nanos - before.cost.nanos
                        $0.currency = "USD"
                    }
                    $0.previousObserved = before.bucketEnd + 9 * 3_600
                }
            ).newEvent(id: EventID(high: id + UInt64(number), low: 1), occurred: observed, actor: "ingest-openai")
        }
    }

    /// Every provider project belongs to one of twelve teams; every tenth key was moved to another team on the way.
    private var assignments: [NewEvent] {
        func event(_ number: Int, _ subject: WireAttributionAssigned.OneOf_Subject, team: Int, from: Int64?) -> NewEvent
        {
            FinOpsEvent.attributionAssigned(
                .with {
                    $0.provider = "openai"
                    $0.account = Self.account
                    $0.subject = subject
                    $0.team = "team-\(team)"
                    $0.project = "project-\(number)"
                    if let from { $0.from = from }
                    $0.version = UInt64(number) + 1
                }
            ).newEvent(id: EventID(high: UInt64(number) + 1, low: 2), occurred: today.utcStart, actor: "attributor")
        }
        // The last one belongs to nobody.
        let projects = (0..<Self.projects - 1).map { number in
            event(number, .providerProjectID("proj_Zr4kq8TnW2x\(number)"), team: number % 12, from: nil)
        }
        let moved = today.advanced(by: -20).utcStart.seconds
        return projects
            + stride(from: 0, to: Self.keys, by: 10).map { key in
                event(Self.projects + key, .apiKeyID("key_N5vPq0sYc7L\(key)"), team: key % 11, from: moved)
            }
    }
}
