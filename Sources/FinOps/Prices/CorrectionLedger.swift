package import EventLog
import SwiftProtobuf

/// What is being repriced. The stream is `correction-ledger`; every part of a correction is appended to it with the exact
/// expected version, so that corrections never overlap.
package enum CorrectionLedger {
    /// Corrections that began and did not finish, in the order of their beginnings: whoever ran them was stopped.
    package struct State: Sendable {
        package private(set) var open: [WirePriceCorrectionStarted] = []
        /// What the parts of each have repriced.
        private var repriced: [String: (count: Int64, nanos: Int128)] = [:]

        package init() {}

        package mutating func evolve(_ event: FinOpsEvent) {
            switch event {
            case .priceCorrectionStarted(let started): open.append(started)
            case .priceCorrectionAdvanced(let advanced) where advanced.finished:
                open.removeAll { $0.id == advanced.id }
                repriced[advanced.id] = nil
            case .priceCorrectionAdvanced(let advanced) where !advanced.id.isEmpty:
                let before = repriced[advanced.id] ?? (0, 0)
                repriced[advanced.id] = (
                    before.count + advanced.repriced, before.nanos + Int128(advanced.difference.nanos)
                )
            default: break
            }
        }

        /// One that reaches the same and did not finish.
        package func open(_ scope: PriceScope) -> WirePriceCorrectionStarted? { open.first { PriceScope($0) == scope } }

        /// The event with which a correction ends.
        package func end(of id: String) -> WirePriceCorrectionAdvanced {
            let sum = repriced[id] ?? (0, 0)
            return .with {
                $0.id = id
                $0.repriced = sum.count
                $0.difference = Money(clamping: sum.nanos, currency: .usd).wire
                $0.finished = true
            }
        }
    }
}

extension WirePriceCorrectionAdvanced {
    /// A part of a correction, or of first prices (an empty id).
    /// - Parameter nanos: the sum of the differences, in nano-dollars.
    package init(id: String, stream: StreamName, repriced count: Int, nanos: Int128) {
        self.init()
        self.id = id
        self.stream = stream.text
        repriced = Int64(count)
        difference = Money(clamping: nanos, currency: .usd).wire
    }
}
