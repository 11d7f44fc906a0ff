import EventLog
package import FinOps

/// A usage row of the account `acme` at `openai`, ready for a test to fill in.
package func usageRow(
    model: String? = "gpt-4o-mini", kind: String = "completions", start: Int64 = hour("2026-11-20", 0),
    project: String? = "proj_a", key: String? = "key_a", batch: Bool? = nil, tier: String? = nil,
    _ quantities: (inout WireQuantities) -> Void = { _ in }
) -> WireUsageRow {
    var row = WireUsageRow()
    row.provider = "openai"
    row.account = "acme"
    row.kind = kind
    row.bucketStart = start
    row.bucketEnd = start + 3_600
    if let project { row.projectID = project }
    if let key { row.apiKeyID = key }
    if let model { row.model = model }
    if let batch { row.batch = batch }
    if let tier { row.serviceTier = tier }
    quantities(&row.quantities)
    return row
}

/// Unix seconds of an hour of a UTC day.
package func hour(_ day: String, _ hour: Int64) -> Int64 { FinOps.Day(day)!.utcStart.seconds + hour * 3_600 }

/// A calendar day.
package func day(_ text: String) -> FinOps.Day { FinOps.Day(text)! }

/// An amount in US dollars, from nano-dollars.
package func usd(nanos: Int64) -> Money { Money(nanos: nanos, currency: .usd) }

extension BusinessCalendar {
    /// The zone of most tests: nine hours ahead, without summer time.
    package static let seoul = BusinessCalendar("Asia/Seoul")!
}
