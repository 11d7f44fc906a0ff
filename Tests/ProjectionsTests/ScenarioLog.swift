import EventLog
import FinOps
import Foundation

@testable import Projections

/// A small log in memory and the projections of it in a temporary directory.
final class ScenarioLog {
    let store: InMemoryEventStore
    let files: ProjectionFiles
    let calendar: BusinessCalendar
    private var session: ProducerSession?
    private var sequence: UInt64 = 0
    private let directory: URL

    init(zone: String = "Asia/Seoul") {
        directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        files = ProjectionFiles(directory: directory.path(percentEncoded: false))
        calendar = BusinessCalendar(zone)!
        store = InMemoryEventStore(now: { Timestamp(seconds: 1_790_000_000) })
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func append(_ events: [FinOpsEvent], to stream: StreamName = "test-events") async throws {
        try await append(raw: events.map { ($0.type, try payload($0)) }, to: stream)
    }

    func append(raw events: [(EventType, [UInt8])], to stream: StreamName = "test-events") async throws {
        if session == nil { session = try await store.openSession("test") }
        var appended: [NewEvent] = []
        for (type, payload) in events {
            sequence += 1
            appended.append(
                NewEvent(
                    id: EventID(high: 1, low: sequence), type: type, occurred: Timestamp(seconds: 1), actor: "someone",
                    payload: payload))
        }
        for start in stride(from: 0, to: appended.count, by: EventLimits.requestEvents) {
            sequence += 1
            let chunk = Array(appended[start..<min(start + EventLimits.requestEvents, appended.count)])
            _ = try await store.append(
                AppendRequest(session: session!, sequence: sequence, [StreamAppend(stream, chunk)]))
        }
    }

    private func payload(_ event: FinOpsEvent) throws -> [UInt8] {
        event.newEvent(id: EventID(high: 1, low: 1), occurred: Timestamp(seconds: 1)).payload
    }

    func keeper() -> ProjectionKeeper { ProjectionKeeper(files: files, reader: store, calendar: calendar) }

    /// The digest of what `catchUp` leaves.
    @discardableResult
    func catchUp() async throws -> String {
        let keeper = keeper()
        _ = try await keeper.catchUp()
        await keeper.close()
        return try digest()
    }

    @discardableResult
    func rebuild() async throws -> String {
        _ = try await keeper().rebuild()
        return try digest()
    }

    func digest() throws -> String { try ProjectionDigest.hex(ofGeneration: files.current) }

    func query(
        _ by: [CostDimension] = [], from: String, to: String, basis: CostQuery.Basis = .best,
        filters: [CostDimension: String] = [:], rates: ExchangeRates = ExchangeRates()
    ) throws -> CostReport {
        let projections = try ProjectionReader(path: files.current)
        var query = CostQuery(by: by, from: Day(from)!, through: Day(to)!)
        query.basis = basis
        query.filters = filters
        query.rates = rates
        return try projections.costs(query)
    }
}

func usage(
    _ hour: String, key: String? = "key-a", model: String? = "gpt-4o", project: String? = "proj-1", input: Int64 = 100,
    output: Int64 = 10, nanos: Int64? = 1_500_000_000, currency: String = "USD", requests: Int64 = 1
) -> WireUsageRow {
    var row = WireUsageRow()
    row.provider = "openai"
    row.account = "acme"
    row.kind = "completions"
    row.bucketStart = seconds(hour)
    row.bucketEnd = row.bucketStart + 3_600
    if let project { row.projectID = project }
    if let key { row.apiKeyID = key }
    if let model { row.model = model }
    row.batch = false
    row.serviceTier = "default"
    row.quantities.inputTokens = input
    row.quantities.outputTokens = output
    row.quantities.requests = requests
    if let nanos {
        row.cost.nanos = nanos
        row.cost.currency = currency
        row.priceVersion = "2026-11-01"
    } else {
        row.unpricedReason = "unknown model"
    }
    return row
}

/// Unix seconds of `2026-11-20T05` in UTC.
func seconds(_ hour: String) -> Int64 {
    let parts = hour.split(separator: "T")
    return Day(parts[0])!.utcStart.seconds + Int64(parts[1])! * 3_600
}

func recorded(_ row: WireUsageRow, observed: Int64? = nil) -> FinOpsEvent {
    var event = WireUsageRecorded()
    event.row = row
    event.observed = observed ?? row.bucketEnd + 600
    return .usageRecorded(event)
}

func restated(_ row: WireUsageRow, from previous: WireUsageRow, previouslyObserved: Int64? = nil) -> FinOpsEvent {
    var event = WireUsageRestated()
    event.row = row
    event.observed = row.bucketEnd + 7_200
    event.previous = previous.quantities
    if previous.hasCost { event.previousCost = previous.cost }
    event.difference.nanos = row.cost.nanos - previous.cost.nanos
    event.difference.currency = "USD"
    event.previousObserved = previouslyObserved ?? row.bucketEnd + 600
    return .usageRestated(event)
}

func assigned(key: String, team: String, project: String, from: Int64? = nil, version: UInt64) -> FinOpsEvent {
    var event = WireAttributionAssigned()
    event.provider = "openai"
    event.account = "acme"
    event.apiKeyID = key
    event.team = team
    event.project = project
    if let from { event.from = from }
    event.version = version
    return .attributionAssigned(event)
}

func allocated(day: String, project: String?, item: String?, nanos: Int64, parts: [(String, String?, String?, Int64)])
    -> FinOpsEvent
{
    var event = WireBillAllocated()
    event.provider = "openai"
    event.account = "acme"
    event.day = day
    if let project { event.projectID = project }
    if let item { event.lineItem = item }
    event.amount.nanos = nanos
    event.amount.currency = "USD"
    event.rule = "model-cost"
    event.parts = parts.map { hour, key, model, nanos in
        var part = WireBillAllocated.Part()
        part.hour = seconds(hour)
        if let key { part.apiKeyID = key }
        if let model { part.model = model }
        part.nanos = nanos
        return part
    }
    return .billAllocated(event)
}

func tookForce(day: String, project: String?) -> FinOpsEvent {
    var event = WireBillTookForce()
    event.provider = "openai"
    event.account = "acme"
    event.day = day
    if let project { event.projectID = project }
    return .billTookForce(event)
}

func leftForce(day: String, project: String?) -> FinOpsEvent {
    var event = WireBillLeftForce()
    event.provider = "openai"
    event.account = "acme"
    event.day = day
    if let project { event.projectID = project }
    return .billLeftForce(event)
}
