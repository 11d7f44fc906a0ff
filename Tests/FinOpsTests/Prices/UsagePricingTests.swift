import EventLog
import FinOps
import Foundation
import JSON
import TestSupport
import Testing

@Suite struct UsagePricingTests {
    private func price(_ row: WireUsageRow, _ catalogue: PriceCatalogue = .seed) -> PricedUsage {
        var pricing = UsagePricing(catalogue)
        return pricing.price(row)
    }

    private func nanos(_ row: WireUsageRow, _ catalogue: PriceCatalogue = .seed) -> Int64? {
        guard case .priced(let price) = price(row, catalogue) else { return nil }
        return price.cost.nanos
    }

    private func reason(_ row: WireUsageRow) -> String? {
        guard case .unpriced(let reason) = price(row) else { return nil }
        return reason
    }

    @Test func cachedTokensAreNotChargedTwice() {
        // litellm #14849: 20,000 input of which 12,000 cached and 3,000 written, at gpt-4o's 2.50 / 1.25 / 10.00:
        // 5,000 × 2.50 + 12,000 × 1.25 + 3,000 × 2.50 + 1,900 × 10.00 = 54,000 per million.
        let row = usageRow(model: "gpt-4o") {
            $0.inputTokens = 20_000
            $0.cachedInputTokens = 12_000
            $0.cacheWriteTokens = 3_000
            $0.outputTokens = 1_900
            $0.requests = 9
        }
        #expect(nanos(row) == 54_000_000)
    }

    @Test func whatIsCachedForAnHourHasAPriceOfItsOwn() {
        // claude-sonnet-5-5: 10 × 2.00 + 100 × 2.50 + 1,000 × 4.00
        var row = usageRow(model: "claude-sonnet-5-5") {
            $0.inputTokens = 1_110
            $0.cacheWriteTokens = 1_100
            $0.cacheWrite1HTokens = 1_000
        }
        row.provider = "anthropic"
        #expect(nanos(row) == 4_270_000)
        row.quantities.cacheWrite1HTokens = 1_101
        #expect(nanos(row) == nil)
    }

    @Test func onlyASingleCallIsChargedLongContextPrices() {
        // gpt-6-sol above 272,000: 4.00 instead of 2.00
        let row = usageRow(model: "gpt-6-sol") { $0.inputTokens = 272_001 }
        var pricing = UsagePricing(.seed)
        guard case .priced(let call) = pricing.price(call: row), case .priced(let hour) = pricing.price(row) else {
            Issue.record("it has a price")
            return
        }
        #expect(call.cost.nanos == 1_088_004_000 && !call.longContextPossible)
        #expect(hour.cost.nanos == 544_002_000 && hour.longContextPossible)
    }

    @Test func tiersAndBatchHaveTheirOwnPrices() {
        func cost(batch: Bool? = nil, tier: String? = nil) -> Int64? {
            nanos(
                usageRow(model: "gpt-5", batch: batch, tier: tier) {
                    $0.inputTokens = 1_000
                    $0.cachedInputTokens = 400
                    $0.outputTokens = 100
                })
        }
        // 600 × 1.25 + 400 × 0.125 + 100 × 10 = 1,800
        for tier in [nil, "default", "auto", "standard"] { #expect(cost(tier: tier) == 1_800_000) }
        #expect(cost(batch: true, tier: "default") == 900_000)
        #expect(cost(tier: "flex") == 900_000)
        #expect(cost(tier: "priority") == 3_600_000)
        #expect(cost(tier: "fast") == 3_600_000)
    }

    @Test func aMissingBatchCachedPriceIsTheLowerOfCachedAndBatchInput() {
        // gpt-4o-mini: cached 0.075, batch input 0.075 → 0.075; gpt-4o: cached 1.25, batch input 1.25.
        let row = usageRow(model: "gpt-4.1", batch: true) {
            $0.inputTokens = 1_000
            $0.cachedInputTokens = 1_000
        }
        #expect(nanos(row) == 500_000)  // cached 0.50 is below batch input 1.00
        guard case .priced(let price) = price(row) else {
            Issue.record("not priced")
            return
        }
        #expect(price.isEstimated)
    }

    @Test func aRowIsRoundedHalfEvenOnceAndNotPerClass() {
        // 1 token at 0.0005 per million is half a nano: 0; three classes of a half each are 1.5, so 2.
        let file = """
            {"models":[{"provider":"openai","model":"m","prices":[
             {"from":null,"input":"0.0005","cached_input":"0.0005","output":"0.0005"}]}]}
            """
        guard let catalogue = try? PriceCatalogue(PriceFile(Array(file.utf8))) else {
            Issue.record("the file is well formed")
            return
        }
        #expect(nanos(usageRow(model: "m") { $0.inputTokens = 1 }, catalogue) == 0)
        #expect(nanos(usageRow(model: "m") { $0.inputTokens = 3 }, catalogue) == 2)
        let three = usageRow(model: "m") {
            $0.inputTokens = 2
            $0.cachedInputTokens = 1
            $0.outputTokens = 1
        }
        #expect(nanos(three, catalogue) == 2)
    }

    @Test func sixHundredRowsAgreeWithAnIndependentExactComputation() throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/priced-rows", withExtension: "json"))
        let rows = try #require(try JSONValue.parse(Data(contentsOf: url)).array)
        #expect(rows.count == 600)
        for expected in rows {
            let start = try #require(expected["day"]?.string).description
            let quantities = try #require(expected["q"])
            func count(_ name: String) -> Int64 { quantities[name]?.integer ?? -1 }
            let row = usageRow(
                model: expected["model"]?.string, start: hour(start, 23), batch: expected["batch"]?.bool,
                tier: expected["service_tier"]?.string
            ) {
                $0.requests = 1
                $0.inputTokens = count("input")
                $0.cachedInputTokens = count("cached")
                $0.cacheWriteTokens = count("write")
                $0.audioInputTokens = count("audio")
                $0.imageInputTokens = count("image")
                $0.cachedAudioInputTokens = count("cached_audio")
                $0.cachedImageInputTokens = count("cached_image")
                $0.outputTokens = count("output")
                $0.audioOutputTokens = count("audio_out")
                $0.imageOutputTokens = count("image_out")
            }
            #expect(nanos(row) == expected["nanos"]?.integer, "\(expected.text)")
        }
    }

    @Test func anUnknownModelIsUnpricedAndNeverZero() {
        #expect(reason(usageRow(model: "gpt-unheard-of") { $0.inputTokens = 1 }) == "no price for model gpt-unheard-of")
        #expect(reason(usageRow(model: nil) { $0.inputTokens = 1 }) == "no model named")
        #expect(reason(usageRow(model: "gpt-unheard-of") { $0.requests = 1 }) != nil)
        #expect(nanos(usageRow(model: "gpt-unheard-of")) == 0, "a row of zeros costs exactly nothing")
        #expect(nanos(usageRow(model: nil)) == 0)
    }

    @Test func countsThatContradictEachOtherAreUnpricedAndDoNotTrap() {
        let rows = [
            usageRow {
                $0.inputTokens = 3
                $0.cachedInputTokens = 5
            },
            usageRow { $0.outputTokens = -1 },
            usageRow {
                $0.inputTokens = .max
                $0.cachedInputTokens = .max
                $0.cacheWriteTokens = .max
            },
            usageRow {
                $0.outputTokens = 1
                $0.audioOutputTokens = 2
            },
        ]
        for row in rows { #expect(reason(row)?.hasPrefix("inconsistent counts") == true) }
        #expect(reason(usageRow(model: "o1-pro") { $0.outputTokens = .max }) == "the cost is out of range")
    }

    @Test func cachedAudioThatOlderAnswersCountAsAudioIsCachedAudio() {
        // gpt-realtime: text 4.00 / 0.40 cached, audio 32.00 / 0.40 cached. 1,000 input, 800 of it audio, 500 cached:
        // at least 300 of the audio are the cached ones.
        let row = usageRow(model: "gpt-realtime") {
            $0.inputTokens = 1_000
            $0.audioInputTokens = 800
            $0.cachedInputTokens = 500
        }
        #expect(nanos(row) == 16_200_000)
    }

    @Test func whatIsNotCountedInTokensIsChargedByItsOwnUnit() {
        #expect(
            nanos(
                usageRow(model: "whisper-1", kind: "audio_transcriptions") {
                    $0.seconds = 7_230
                    $0.requests = 61
                }) == 723_000_000)
        // 1 s at 0.36 an hour is 0.0001 exactly; 7 s of 0.27 an hour are 525,000 nanos.
        #expect(nanos(usageRow(model: "gpt-transcribe", kind: "audio_transcriptions") { $0.seconds = 7 }) == 525_000)
        #expect(nanos(usageRow(model: "tts-1", kind: "audio_speeches") { $0.characters = 1_200 }) == 18_000_000)
        #expect(
            nanos(usageRow(model: "gpt-4.1-2025-04-14", kind: "web_search_calls") { $0.calls = 33 }) == 330_000_000)
        #expect(reason(usageRow(model: nil, kind: "file_search_calls") { $0.calls = 140 }) == "no model named")
        #expect(reason(usageRow(model: "dall-e-3", kind: "images") { $0.images = 24 }) != nil)
        #expect(reason(usageRow(model: "gpt-4o-transcribe", kind: "audio_transcriptions") { $0.seconds = 3 }) != nil)
        #expect(
            nanos(usageRow(model: "text-embedding-3-small", kind: "embeddings") { $0.inputTokens = 80_000 })
                == 1_600_000)
    }

    @Test func longContextIsFlaggedAndNotCharged() {
        let row = usageRow(model: "gpt-5.4") { $0.inputTokens = 300_000 }
        guard case .priced(let price) = price(row) else {
            Issue.record("gpt-5.4 has a price")
            return
        }
        #expect(price.longContextPossible)
        #expect(price.cost.nanos == 750_000_000)
    }

    @Test func azureFallsBackToTheOpenAIListAsAnEstimate() {
        var row = usageRow(model: "gpt-5.6-terra") { $0.inputTokens = 1_000_000 }
        guard case .priced(let own) = price(row) else {
            Issue.record("gpt-5.6-terra has a price")
            return
        }
        row.provider = "azure_openai"
        guard case .priced(let fallen) = price(row) else {
            Issue.record("it falls back")
            return
        }
        #expect(fallen.cost == own.cost)
        #expect(fallen.isEstimated && !own.isEstimated)
    }

    @Test func thePeriodIsChosenByUTCDayAndNamedInTheVersion() {
        func o3(_ start: Int64) -> PricedUsage { price(usageRow(model: "o3", start: start) { $0.inputTokens = 1_000 }) }
        guard case .priced(let before) = o3(hour("2025-06-09", 23)), case .priced(let after) = o3(hour("2025-06-10", 0))
        else {
            Issue.record("o3 has prices")
            return
        }
        #expect(before.cost.nanos == 10_000_000)
        #expect(after.cost.nanos == 2_000_000)
        #expect(before.version.hasPrefix("2026-10-19+") && before.version.hasSuffix("/o3"))
        #expect(after.version.hasSuffix("/o3@2025-06-10"))
    }
}
