import EventLog
import FinOps
import Foundation
import Runtime
import Storage
import SwiftProtobuf

/// The log that gateways leave behind: calls of 200 keys in 40 projects with six task types, some 40,000 an hour.
struct CallHistory {
    let calls: Int
    let today: Day

    private static let callsAnHour = 40_000
    private static let models = ["gpt-5-mini", "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "o4-mini"]

    func write(to directory: StateDirectory) throws {
        try directory.prepare()
        let log = try SQLiteLog(files: LogFiles(database: directory.logDatabase)) { wallTime() }
        let session = try log.openSession("history")
        let first = today.utcStart.seconds - Int64((calls + Self.callsAnHour - 1) / Self.callsAnHour) * 3_600
        for (number, start) in stride(from: 0, to: calls, by: EventLimits.requestEvents).enumerated() {
            let events = (start..<min(start + EventLimits.requestEvents, calls)).map { event($0, first: first) }
            let append = StreamAppend(StreamName("calls-acme-\(today)"), events)
            let request = AppendRequest(session: session, sequence: UInt64(number) + 1, [append])
            for result in log.append(group: [request]).results { _ = try result.get() }
        }
    }

    private func event(_ index: Int, first: Int64) -> NewEvent {
        let started = first * 1_000_000 + Int64(index) * 3_600_000_000 / Int64(Self.callsAnHour)
        let key = index * 7_919 % 200
        let id = EventID(high: UInt64(index) + 1, low: 1)
        return FinOpsEvent.callRecorded(
            .with {
                $0.call = "call-\(id)"
                $0.attempt = 1
                $0.gateway = "gateway"
                $0.key = "key-0193a8f2c1d24e3b9a7c5d6e7f80\(key)"
                $0.project = "project-\(key % 40)"
                $0.upstream = "main"
                $0.provider = "openai"
                $0.account = "acme"
                $0.providerKeyID = "key_upstream"
                $0.providerProjectID = "proj_gateway"
                $0.route = "/v1/chat/completions"
                $0.modelAsked = "gpt-4o"
                $0.model = Self.models[index % Self.models.count]
                $0.kind = "completions"
                $0.serviceTier = "default"
                $0.quantities.requests = 1
                $0.quantities.inputTokens = Int64(index % 4_000)
                $0.quantities.cachedInputTokens = Int64(index % 1_000) / 2
                $0.quantities.outputTokens = Int64(index % 700)
                $0.cost.nanos = Int64(index % 9_000) * 137
                $0.cost.currency = "USD"
                $0.priceVersion = "2026-11-01+1a2b3c4d/gpt-4o"
                $0.status = 200
                $0.ended = "complete"
                $0.started = started
                $0.firstByte = 210_000
                $0.duration = 1_900_000
                $0.upstreamRequest = "req_\(index)"
                $0.context.taskType = ["chat", "summary", "search", "code", "mail", ""][index / 3 % 6]
                $0.context.user = "u-\(index % 5_000)"
            }
        ).newEvent(id: id, occurred: Timestamp(microseconds: started + 1_900_000), actor: "gateway")
    }
}
