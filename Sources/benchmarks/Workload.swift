import EventLog
import FinOps
import SwiftProtobuf

/// Usage as it comes in: what every figure writes and reads.
struct Workload {
    let keys: Int
    let models: Int
    /// Unix seconds at which the first hour begins.
    var start: Int64 = 1_763_596_800

    static let typical = Workload(keys: 100, models: 10)

    /// One event: hour, key and model follow from its number, so that every event is another row.
    func usage(_ number: Int) -> (day: Day, event: NewEvent) {
        let cell = number % (keys * models)
        let hour = start + Int64(number / (keys * models)) * 3_600
        let key = cell % keys
        let row = WireUsageRow.with {
            $0.provider = "openai"
            $0.account = "acme"
            $0.kind = "completions"
            $0.bucketStart = hour
            $0.bucketEnd = hour + 3_600
            $0.projectID = "proj_\(key % 20)"
            $0.apiKeyID = "key_bench_\(key)"
            $0.model = "model-\(cell / keys)"
            $0.batch = false
            $0.serviceTier = "default"
            $0.quantities = .with {
                $0.requests = 9
                $0.inputTokens = 20_000 + Int64(number % 97)
                $0.cachedInputTokens = 12_000
                $0.outputTokens = 1_900
            }
            $0.cost = .with {
                $0.nanos = 123_456_789 + Int64(number % 1_000)
                $0.currency = "USD"
            }
            $0.priceVersion = "2026-10-19"
        }
        let observed = Timestamp(seconds: hour + 7_200)
        let event = FinOpsEvent.usageRecorded(
            .with {
                $0.row = row; $0.observed = observed.seconds
            })
        return (
            Day(utc: Timestamp(seconds: hour)),
            event.newEvent(
                id: EventID(high: UInt64(number) + 1, low: 0x8000_0000_0000_0001), occurred: observed, actor: "bench")
        )
    }

    /// Events `range` as the appends of one request, by their day's stream.
    func appends(_ range: Range<Int>) -> [StreamAppend] {
        var appends: [StreamAppend] = []
        for number in range {
            let (day, event) = usage(number)
            let stream = StreamName("usage-acme-\(day)")
            if appends.last?.stream == stream {
                appends[appends.count - 1].events.append(event)
            } else {
                appends.append(StreamAppend(stream, [event]))
            }
        }
        return appends
    }
}

/// Batches built before the clock starts: a producer's own work is not the log's.
func preparedBatches(events: Int, batch: Int, from first: Int = 0, workload: Workload = .typical) -> [[StreamAppend]] {
    stride(from: first, to: first + events, by: batch).map { workload.appends($0..<min($0 + batch, first + events)) }
}
