package import EventLog

/// An event told from others by its number alone.
package func sampleEvent(_ number: Int, type: EventType = "sample.happened", payloadBytes: Int = 16) -> NewEvent {
    NewEvent(
        id: EventID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0000 | UInt64(number)), type: type,
        occurred: Timestamp(seconds: 1_790_000_000 + Int64(number)),
        causation: number.isMultiple(of: 3) ? EventID(high: 1, low: UInt64(number) + 1) : nil,
        correlation: number.isMultiple(of: 5) ? EventID(high: 2, low: UInt64(number) + 1) : nil,
        actor: number.isMultiple(of: 2) ? "actor-\(number % 4)" : "",
        payload: (0..<payloadBytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) })
}

package func sampleEvents(_ numbers: Range<Int>, payloadBytes: Int = 16) -> [NewEvent] {
    numbers.map { sampleEvent($0, payloadBytes: payloadBytes) }
}
