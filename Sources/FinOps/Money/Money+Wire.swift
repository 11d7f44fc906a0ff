import SwiftProtobuf

extension Money {
    /// Nano-units and the currency's code.
    package var wire: WireMoney {
        WireMoney.with {
            $0.nanos = nanos
            $0.currency = currency.code
        }
    }

    /// - Returns: nil if the currency is not a currency's code.
    package init?(_ wire: WireMoney) {
        guard let currency = Currency(wire.currency) else { return nil }
        self.init(nanos: wire.nanos, currency: currency)
    }
}
