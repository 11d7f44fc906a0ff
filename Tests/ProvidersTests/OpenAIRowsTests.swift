import FinOps
import JSON
import Testing

@testable import Providers

@Suite struct OpenAIRowsTests {
    private func rows(_ kind: OpenAIUsageKind, _ fixture: String) throws -> [WireUsageRow] {
        try OpenAIUsageRows(account: "acme", kind: kind).rows(in: try Fixture.results(fixture), bucket: Pages.midnight)
    }

    @Test func aCompletionsRowKeepsAllItsClassesAndNoUser() throws {
        let rows = try rows(.completions, "usage-completions-hourly-all-fields.json")
        #expect(rows.count == 3)
        let row = try #require(rows.first { $0.serviceTier == "default" && !$0.batch })
        #expect(row.provider == "openai")
        #expect(row.account == "acme")
        #expect(row.kind == "completions")
        #expect(row.model == "gpt-5.6-terra")
        #expect(row.quantities.inputTokens == 20_000)
        #expect(row.quantities.cachedInputTokens == 12_000)
        #expect(row.quantities.cacheWriteTokens == 3_000)
        #expect(row.quantities.outputTokens == 1_900)
        #expect(row.quantities.requests == 9)
        #expect(!"\(rows)".contains("user-EXAMPLE"))
        #expect(rows.contains { $0.batch && $0.quantities.requests == 300 })
    }

    @Test func unknownFieldsNamesAndAddressesAreLeftAtTheDoor() throws {
        let row = try #require(try rows(.completions, "usage-completions-live-extras.json").first)
        #expect(row.quantities.inputTokens == 1_000)
        #expect(!row.hasApiKeyID)
        #expect(!row.hasBatch)
        #expect(!"\(row)".contains("Example Ltd"))
    }

    @Test func everyKindReadsItsOwnMeasure() throws {
        func only(_ kind: OpenAIUsageKind, _ fixture: String) throws -> WireUsageRow {
            try #require(try rows(kind, fixture).first)
        }
        #expect(try only(.embeddings, "usage-embeddings.json").quantities.inputTokens == 16_000_000)
        #expect(try only(.moderations, "usage-moderations.json").hasModel)
        let image = try only(.images, "usage-images.json")
        #expect(image.quantities.images == 24)
        #expect(image.size == "1024x1024")
        #expect(image.source == "image.generation")
        #expect(try only(.audioSpeeches, "usage-audio-speeches.json").quantities.characters > 0)
        #expect(try only(.audioTranscriptions, "usage-audio-transcriptions.json").quantities.seconds == 7_230)
        #expect(try only(.vectorStores, "usage-vector-stores.json").quantities.usageBytes == 5_368_709_120)
        #expect(try only(.codeInterpreterSessions, "usage-code-interpreter-sessions.json").quantities.sessions == 7)
        let files = try only(.fileSearchCalls, "usage-file-search-calls.json")
        #expect(files.quantities.calls == 140)
        #expect(files.vectorStoreID == "vs_EXAMPLE")
        let web = try only(.webSearchCalls, "usage-web-search-calls.json")
        #expect(web.quantities.calls == 33)
        #expect(web.quantities.requests == 20)
        #expect(web.contextLevel == "medium")
    }

    @Test(arguments: [
        ("input_tokens", JSONValue.integer(-1), "is negative"), ("input_tokens", "12", "is no whole number"),
        ("input_tokens", .number("1.5"), "is no whole number"), ("input_tokens", nil, "is missing"),
        ("model", 7, "is no text"), ("batch", "yes", "is neither true nor false"),
        ("input_cached_tokens", 101, "is more than input_tokens"),
        ("output_tokens", .number("9223372036854775808"), "is no whole number"),
        ("output_tokens", .integer(Int64(1) << 50), "is 2^50 or more"),
    ])
    func aMalformedFieldIsNamedWithItsBucketAndRow(_ field: String, _ value: JSONValue, _ reason: String) {
        guard case .object(var members) = Pages.row() else {
            Issue.record("a row is an object")
            return
        }
        members.append(.init(field, value))
        let results = [Pages.row(), JSONValue.object(members)]
        let failure = #expect(throws: SourceFailure.self) {
            try OpenAIUsageRows(account: "acme", kind: .completions).rows(in: results, bucket: Pages.midnight)
        }
        #expect(failure?.kind == .malformedAnswer)
        #expect(failure?.message.contains("bucket 2026-11-01 00:00Z, row 2: \(field) ") == true)
        #expect(failure?.message.contains(reason) == true)
    }

    @Test func anEmptyGroupingValueIsAsGoodAsNull() throws {
        guard case .object(var members) = Pages.row() else {
            Issue.record("a row is an object")
            return
        }
        let names = ["project_id", "api_key_id", "model", "service_tier"]
        members = members.filter { !names.contains($0.name) } + names.map { .init($0, "") }
        let rows = try OpenAIUsageRows(account: "acme", kind: .completions).rows(
            in: [.object(members)], bucket: Pages.midnight)
        let row = try #require(rows.first)
        #expect(!row.hasProjectID && !row.hasApiKeyID && !row.hasModel && !row.hasServiceTier)
    }

    @Test func countsMayBeWrittenAsDecimalsWithoutAFraction() throws {
        guard case .object(var members) = Pages.row() else {
            Issue.record("a row is an object")
            return
        }
        members.append(.init("input_tokens", .number("30.0")))
        let rows = try OpenAIUsageRows(account: "acme", kind: .completions).rows(
            in: [.object(members)], bucket: Pages.midnight)
        #expect(rows.first?.quantities.inputTokens == 30)
    }
}

@Suite struct OpenAICostsTests {
    private func rows(_ results: [JSONValue]) throws -> [BillLine] {
        try OpenAICosts().rows(in: results, bucket: Pages.midnight)
    }

    private func row(_ value: JSONValue, currency: JSONValue = "usd", item: String = "x, input") -> JSONValue {
        [
            "object": "organization.costs.result", "amount": ["value": value, "currency": currency],
            "line_item": .string(item), "project_id": "proj_1", "api_key_id": nil,
        ]
    }

    @Test func textsWithThirtyDecimalsAndScientificZerosAreKept() throws {
        let rows = try rows(try Fixture.results("costs-live-strings.json"))
        #expect(
            rows.map(\.amountText) == [
                "0.127500000000000000000000000000000000", "0.000004500000000000000000000000000000000", "0E-6176",
            ])
        #expect(rows.allSatisfy { $0.currency == "usd" && $0.bucketEnd - $0.bucketStart == 86_400 })
        #expect(rows[1].quantityText == "30.0")
        #expect(rows[1].quantityUnit == "tokens")
        #expect(rows[1].apiKeyID == "key_EXAMPLEcheckout")
        #expect(!"\(rows)".contains("Example Ltd"))
    }

    @Test func numbersAndCreditsAreReadFromTheirText() throws {
        #expect(try rows(try Fixture.results("costs-page2.json")).map(\.amountText) == ["0.102", "-1.5"])
        #expect(try rows(try Fixture.results("costs-page1.json")).count == 4)
    }

    @Test func anAmountOfManyDigitsKeepsItsText() throws {
        let amount = "0.333333333333333333333333333333333333333333"
        #expect(try rows([row(.number(amount)), row(.string(amount))]).map(\.amountText) == [amount, amount])
    }

    @Test func anEmptyGroupingValueIsAsGoodAsNull() throws {
        let nameless: JSONValue = [
            "amount": ["value": 1, "currency": "usd"], "line_item": "", "project_id": "", "api_key_id": "",
        ]
        let line = try #require(try rows([nameless]).first)
        #expect(line.projectID == nil && line.lineItem == nil && line.apiKeyID == nil)
    }

    @Test func nothingInNoCurrencyIsNoRow() throws {
        #expect(try rows([row(0, currency: nil), row("0E-6176", currency: nil)]).isEmpty)
        let failure = #expect(throws: SourceFailure.self) { try rows([row(1, currency: nil)]) }
        #expect(failure?.message.contains("row 1: amount.currency") == true)
    }

    @Test(arguments: [
        ("1e30", "usd", "amount.value"), ("abc", "usd", "amount.value"), ("1", "dollars", "amount.currency"),
        ("1234567890123456789012345678901234567890.5", "usd", "amount.value"),
        ("0.\(String(repeating: "3", count: 999))", "usd", "amount.value"),
    ])
    func anAmountThatIsNoneIsNamed(_ value: String, _ currency: String, _ field: String) {
        let failure = #expect(throws: SourceFailure.self) {
            try rows([row(.string(value), currency: .string(currency))])
        }
        #expect(failure?.message.contains("row 1: \(field)") == true)
    }
}
