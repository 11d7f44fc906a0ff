import EventLog
import FinOps
import Metering
import Synchronization

/// The price list as events tell it, in a form that can be kept: the last event about each model.
struct PriceShelf: Sendable {
    private(set) var catalogue = PriceCatalogue.empty
    private var latest: [String: RecordedEvent] = [:]

    static let types: Set<EventType> = ["price.changed", "price.defaults-changed"]

    /// - Returns: whether it was about prices.
    mutating func take(_ event: FinOpsEvent, _ recorded: RecordedEvent) -> Bool {
        let name: String
        switch event {
        case .priceChanged(let change): name = "\(change.provider)\u{0}\(change.model)"
        case .priceDefaultsChanged(let change): name = change.provider
        default: return false
        }
        catalogue.evolve(event)
        latest[name] = recorded
        return true
    }

    func encode(into bytes: inout [UInt8]) {
        for recorded in latest.values.sorted(by: { $0.position < $1.position }) {
            EventCodec.encode(recorded, into: &bytes)
        }
    }

    /// - Throws: `EventDecoder.Malformed`, and what the catalogue of events says of one that it cannot read.
    init(_ bytes: ArraySlice<UInt8>) throws {
        let bytes = Array(bytes)
        var events: [RecordedEvent] = []
        var decoder = EventDecoder()
        var offset = 0
        while offset < bytes.count {
            events.append(try bytes.withUnsafeBytes { try decoder.decode($0, at: &offset) })
        }
        for recorded in events {
            if let event = try EventCatalogue.decode(recorded.event) { _ = take(event, recorded) }
        }
    }

    init() {}
}

/// Prices calls that ended, one at a time.
final class PricingDesk: Sendable {
    private let pricing: Mutex<CallPricing>

    init(_ pricing: CallPricing) { self.pricing = Mutex(pricing) }

    func use(_ other: CallPricing) { pricing.withLock { $0 = other } }

    func complete(_ call: inout WireCallRecorded, _ route: Route, _ reading: MeterReading) {
        pricing.withLock { $0.complete(&call, route, reading) }
    }
}
