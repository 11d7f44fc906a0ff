import FinOps
import SwiftProtobuf
import TestSupport

/// What is said of prices, and what became of changes to them.
extension EventSamples {
    private static func named(_ names: KeyValuePairs<String, String>) -> [WireNamedPrice] {
        names.map { name, price in
            .with {
                $0.name = name
                $0.price = price
            }
        }
    }

    static let prices: [FinOpsEvent] = [
        .priceChanged(
            .with {
                $0.provider = "openai"
                $0.model = "gpt-5.4"
                $0.mode = "chat"
                $0.match = ["gpt-5.4", "gpt-5.4-*"]
                $0.periods = [
                    .with {
                        $0.from = "2026-03-05"
                        $0.prices = named(["batch_input": "1.25", "input": "2.5", "output": "15"])
                        $0.longContextAbove = 272_000
                        $0.longContext = named(["input": "5"])
                    }
                ]
                $0.other = named(["web_search_per_1000": "10"])
                $0.version = "2026-10-19+1a2b3c4d"
                $0.source = "genai-prices"
                $0.reason = "contract"
                $0.removed = true
            }),
        .priceDefaultsChanged(
            .with {
                $0.provider = "openai"
                $0.defaults = named(["batch_multiplier": "0.5"])
                $0.version = "2026-10-19"
                $0.reason = "contract"
            }),
    ]

    static let priceDecisions: [FinOpsEvent] = [
        .priceChangeProposed(
            .with {
                $0.id = "price-0192f3a4"
                $0.changes = [
                    .with {
                        $0.provider = "openai"
                        $0.model = "gpt-5.4"
                        $0.match = ["gpt-5.4"]
                        $0.periods = [.with { $0.prices = named(["input": "25"]) }]
                        $0.version = "2026-11-22+5e6f7a8b"
                        $0.reason = "contract"
                    }
                ]
                $0.defaults = [
                    .with {
                        $0.provider = "openai"
                        $0.defaults = named(["batch_multiplier": "0.05"])
                        $0.version = "2026-11-22"
                    }
                ]
                $0.basis = [
                    .with {
                        $0.provider = "openai"
                        $0.model = "gpt-5.4"
                        $0.version = "2026-10-19+1a2b3c4d"
                    }
                ]
                $0.jumps = [
                    .with {
                        $0.provider = "openai"
                        $0.model = "gpt-5.4"
                        $0.name = "input"
                        $0.before = "2.5"
                        $0.after = "25"
                        $0.from = "2026-11-22"
                    }
                ]
                $0.correction = correction
                $0.reason = "contract"
            }),
        .priceChangeApproved(
            .with {
                $0.id = "price-0192f3a4"
                $0.reason = "seen on the invoice"
            }),
        .priceChangeRejected(
            .with {
                $0.id = "price-0192f3a4"
                $0.reason = "a typing error"
            }),
        .priceCorrectionStarted(correction),
        .priceCorrectionAdvanced(
            .with {
                $0.id = "correction-0192f3a4"
                $0.stream = "calls-acme-2026-11-11"
                $0.repriced = 1_000
                $0.difference = usd(nanos: -54_000_000).wire
                $0.finished = true
            }),
    ]

    static let correction = WirePriceCorrectionStarted.with {
        $0.id = "correction-0192f3a4"
        $0.provider = "openai"
        $0.model = "gpt-5.4"
        $0.from = "2026-11-01"
        $0.to = "2026-11-15"
        $0.reason = "invoice 7"
    }
}
