import FinOps
import Foundation
import Metering
import TestSupport
import Testing

@Suite struct ResponseMeterTests {
    /// Prices are USD per million tokens, so a token at 1.00 is 1,000 nano-dollars.
    struct Golden: Sendable, CustomTestStringConvertible {
        let file: String
        let target: String
        var body = #"{"model":"gpt-4o-mini","messages":[]}"#
        let nanos: Int64?
        let model: String?
        var estimated = false

        var testDescription: String { file }
    }

    static let documents: [Golden] = [
        // 19 × 0.15 + 10 × 0.60
        Golden(
            file: "openai/chat-completion.json", target: "/v1/chat/completions", nanos: 8_850,
            model: "gpt-4o-mini-2024-07-18"),
        // 86 × 2.00 + 1,920 × 0.20 + 1,520 × 10.00
        Golden(
            file: "openai/chat-completion-cached-reasoning.json", target: "/v1/chat/completions", nanos: 15_756_000,
            model: "gpt-6-sol"),
        // flex: 800 × 0.125 + 200 × 1.00
        Golden(
            file: "openai/chat-completion-flex.json", target: "/v1/chat/completions", nanos: 300_000,
            model: "gpt-5-mini-2025-08-07"),
        // priority: 136 × 4.00 + 4,864 × 5.00 + 300 × 24.00
        Golden(
            file: "openai/chat-completion-cache-write.json", target: "/v1/chat/completions", nanos: 32_064_000,
            model: "gpt-5.6-terra"),
        // 14 × 2.50 + 48 × 32.00 + 40 × 10.00 + 140 × 64.00
        Golden(
            file: "openai/chat-completion-audio.json", target: "/v1/chat/completions", nanos: 10_931_000,
            model: "gpt-audio-2025-08-28"),
        // 82 × 0.15 + 17 × 0.60
        Golden(
            file: "openai/chat-completion-tool-call.json", target: "/v1/chat/completions", nanos: 22_500,
            model: "gpt-4o-mini-2024-07-18"),
        Golden(
            file: "openai/chat-completion-minimal-usage.json", target: "/v1/chat/completions", nanos: nil,
            model: "local-model"),
        // 5 × 1.50 + 3 × 2.00
        Golden(
            file: "openai/completion-legacy.json", target: "/v1/completions", nanos: 13_500,
            model: "gpt-3.5-turbo-instruct"),
        // 8 × 0.02
        Golden(file: "openai/embeddings.json", target: "/v1/embeddings", nanos: 160, model: "text-embedding-3-small"),
        // 50 × 5.00 + 1,056 × 40.00
        Golden(
            file: "openai/image-generation.json", target: "/v1/images/generations", body: #"{"model":"gpt-image-1"}"#,
            nanos: 42_490_000, model: nil),
        // 14 × 3.00 + 4 × 5.00
        Golden(
            file: "openai/transcription-tokens.json", target: "/v1/audio/transcriptions",
            body: #"{"model":"gpt-4o-mini-transcribe"}"#, nanos: 62_000, model: nil),
        // 9 s of 0.36 an hour
        Golden(
            file: "openai/transcription-duration.json", target: "/v1/audio/transcriptions",
            body: #"{"model":"whisper-1"}"#, nanos: 900_000, model: nil),
        Golden(
            file: "openai/moderation.json", target: "/v1/moderations", nanos: 0, model: "omni-moderation-2024-09-26"),
        Golden(file: "openai/response.json", target: "/v1/responses", nanos: 15_756_000, model: "gpt-6-sol"),
        // 500 × 2.00 + 64 × 10.00
        Golden(file: "openai/response-incomplete.json", target: "/v1/responses", nanos: 1_640_000, model: "gpt-6-sol"),
        // The request is 37 bytes: 10 × 2.00
        Golden(
            file: "openai/response-failed.json", target: "/v1/responses", nanos: 20_000, model: "gpt-6-sol",
            estimated: true),
        Golden(file: "openai/response-input-tokens.json", target: "/v1/responses/input_tokens", nanos: 0, model: nil),
        // 2,095 × 2.00 + 10,000 × 0.10 + 1,051 × 2.50 + 1,000 × 4.00 + 503 × 10.00, and a search
        Golden(file: "anthropic/message.json", target: "/v1/messages", nanos: 26_847_500, model: "claude-sonnet-5-5"),
        // 12 × 2.00 + 6 × 10.00
        Golden(
            file: "anthropic/message-minimal-usage.json", target: "/v1/messages", nanos: 84_000,
            model: "claude-sonnet-5-5"),
        Golden(file: "anthropic/message-count-tokens.json", target: "/v1/messages/count_tokens", nanos: 0, model: nil),
    ]

    static let streaming = #"{"model":"gpt-4o-mini","stream":true}"#
    static let streams: [Golden] = [
        // 19 × 0.15 + 2 × 0.60
        Golden(
            file: "openai/chat-stream-with-usage.sse", target: "/v1/chat/completions", body: streaming, nanos: 4_050,
            model: "gpt-4o-mini-2024-07-18"),
        // "Hello" is two tokens, the request's 37 bytes are ten: 10 × 0.15 + 2 × 0.60
        Golden(
            file: "openai/chat-stream-without-usage.sse", target: "/v1/chat/completions", body: streaming, nanos: 2_700,
            model: "gpt-4o-mini-2024-07-18", estimated: true),
        // 10 × 0.15 + 1 × 0.60
        Golden(
            file: "openai/chat-stream-interrupted.sse", target: "/v1/chat/completions", body: streaming, nanos: 2_100,
            model: "gpt-4o-mini-2024-07-18", estimated: true),
        // 10 × 0.15
        Golden(
            file: "openai/chat-stream-error.sse", target: "/v1/chat/completions", body: streaming, nanos: 1_500,
            model: "gpt-4o-mini-2024-07-18", estimated: true),
        // 37 × 2.00 + 11 × 10.00
        Golden(
            file: "openai/response-stream.sse", target: "/v1/responses", body: streaming, nanos: 184_000,
            model: "gpt-6-sol"),
        Golden(
            file: "openai/response-stream-incomplete.sse", target: "/v1/responses", body: streaming, nanos: 1_640_000,
            model: "gpt-6-sol"),
        // 10 × 2.00
        Golden(
            file: "openai/response-stream-failed.sse", target: "/v1/responses", body: streaming, nanos: 20_000,
            model: "gpt-6-sol", estimated: true),
        Golden(
            file: "openai/response-stream-error.sse", target: "/v1/responses", body: streaming, nanos: 20_000,
            model: "gpt-6-sol", estimated: true),
        // 472 × 2.00 + 300 × 0.10 + 89 × 10.00
        Golden(
            file: "anthropic/message-stream.sse", target: "/v1/messages", body: streaming, nanos: 1_864_000,
            model: "claude-sonnet-5-5"),
        // 10,682 × 2.00 + 510 × 10.00, and a search
        Golden(
            file: "anthropic/message-stream-server-tool.sse", target: "/v1/messages", body: streaming,
            nanos: 36_464_000, model: "claude-sonnet-5-5"),
        // 472 × 2.00 + 300 × 0.10 + 2 × 10.00
        Golden(
            file: "anthropic/message-stream-error.sse", target: "/v1/messages", body: streaming, nanos: 994_000,
            model: "claude-sonnet-5-5", estimated: true),
    ]

    private func run(_ golden: Golden, _ answer: [UInt8], cuts: [Int] = [], end: AnswerEnd = .complete) throws
        -> Metered.Outcome
    {
        try Metered.run(
            golden.target, body: golden.body, answer: answer,
            type: golden.file.hasSuffix(".sse") ? "text/event-stream; charset=utf-8" : "application/json", cuts: cuts,
            end: end)
    }

    @Test(arguments: documents + streams) func costsWhatWasComputedByHand(_ golden: Golden) throws {
        let outcome = try run(golden, Metered.fixture(golden.file))
        #expect(outcome.nanos == golden.nanos, "\(outcome.call)")
        #expect(outcome.reading.model == golden.model)
        #expect(outcome.reading.usageEstimated.isEmpty == !golden.estimated)
        #expect(outcome.call.unpricedReason.isEmpty == (golden.nanos != nil))
    }

    /// Reasoning is a part of the output, not beside it.
    @Test(arguments: [
        ("openai/chat-completion-cached-reasoning.json", Int64(1_520), Int64(1_280)),
        ("openai/response.json", 1_520, 1_280),
        ("openai/response-incomplete.json", 64, 64), ("openai/chat-completion-cache-write.json", 300, 64),
        ("openai/chat-completion.json", 10, 0),
    ]) func reasoningIsRecordedAsItWasTold(_ file: String, _ output: Int64, _ reasoning: Int64) throws {
        let golden = try #require(Self.documents.first { $0.file == file })
        let quantities = try run(golden, Metered.fixture(file)).call.quantities
        #expect(quantities.outputTokens == output && quantities.reasoningTokens == reasoning)
    }

    /// Wherever the pieces end, inside characters, line ends and names.
    @Test(arguments: documents + streams) func piecesOfAnySizeGiveTheSame(_ golden: Golden) throws {
        let answer = try Metered.fixture(golden.file)
        let whole = try run(golden, answer)
        #expect(try run(golden, answer, cuts: Array(repeating: 1, count: answer.count)) == whole)
        var random = SeededGenerator(seed: 7)
        for _ in 0..<40 {
            let cuts = (0..<40).map { _ in Int.random(in: 0...120, using: &random) }
            #expect(try run(golden, answer, cuts: cuts) == whole, "cuts \(cuts)")
        }
    }

    @Test func allLineEndsGiveTheSameUsage() throws {
        let golden = Self.streams[0]
        let text = String(decoding: try Metered.fixture(golden.file), as: UTF8.self)
        for end in ["\r\n", "\r"] {
            let answer = Array(text.replacing("\n", with: end).utf8)
            let whole = try run(golden, answer)
            #expect(whole.nanos == golden.nanos)
            #expect(whole.text == (try run(golden, Array(text.utf8))).text.replacing("\n", with: end))
            #expect(try run(golden, answer, cuts: Array(repeating: 1, count: answer.count)) == whole)
        }
    }

    @Test func whoDidNotAskForUsageDoesNotSeeIt() throws {
        let golden = Self.streams[0]
        let outcome = try run(golden, Metered.fixture(golden.file))
        #expect(!outcome.text.contains("usage"))
        #expect(outcome.text.contains(#""obfuscation":"aB3"}"#))
        #expect(outcome.text.hasSuffix("data: [DONE]\n\n"))
        let asked = try String(decoding: Metered.fixture(golden.file), as: UTF8.self).split(separator: "\n\n")
        let expected = asked.filter { !$0.contains(#""choices":[]"#) }
            .map { $0.replacing(#","usage":null"#, with: "") }
        #expect(outcome.text.split(separator: "\n\n") == expected)
    }

    @Test func whoAskedGetsEveryByte() throws {
        let body = #"{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true}}"#
        let answer = try Metered.fixture("openai/chat-stream-with-usage.sse")
        let outcome = try Metered.run("/v1/chat/completions", body: body, answer: answer, type: "text/event-stream")
        #expect(outcome.client == answer)
        #expect(outcome.nanos == 4_050)
    }

    @Test(arguments: documents + streams.dropFirst(2).filter { !$0.target.contains("chat") })
    func otherAnswersPassByteForByte(_ golden: Golden) throws {
        let answer = try Metered.fixture(golden.file)
        #expect(try run(golden, answer).client == answer)
    }

    @Test func aNullUsageIsTakenOutWhereverItStands() throws {
        func relayed(_ event: String) throws -> String {
            try Metered.run(
                "/v1/chat/completions", body: Self.streaming, answer: Array("data: \(event)\n\n".utf8),
                type: "text/event-stream"
            ).text
        }
        #expect(try relayed(#"{"usage":null,"choices":[{}]}"#) == "data: {\"choices\":[{}]}\n\n")
        #expect(try relayed(#"{"usage" : null}"#) == "data: {}\n\n")
        #expect(try relayed(#"{ "a":1 , "usage": null , "b":2}"#) == "data: { \"a\":1  , \"b\":2}\n\n")
        for kept in [
            #"{"choices":[{"usage":null}]}"#, #"{"a":"\"usage\":null"}"#, #"{"usage":{"x":1},"choices":[{}]}"#,
        ] {
            #expect(try relayed(kept) == "data: \(kept)\n\n")
        }
        #expect(try relayed(#"{"choices":[],"usage":{"prompt_tokens":1}}"#) == "")
        #expect(try relayed(#"{"choices":[],"prompt_filter_results":[],"usage":null}"#).contains("filter"))
    }

    @Test func anEventTooLargeToBeHeldPassesAsItIs() throws {
        let event =
            "data: {\"a\":\"" + String(repeating: "x", count: 2 * ResponseMeter.heldLimit) + "\",\"usage\":null}\n\n"
        let next = "data: {\"choices\":[{}],\"usage\":null}\n\n"
        let outcome = try Metered.run(
            "/v1/chat/completions", body: Self.streaming, answer: Array((event + next).utf8),
            type: "text/event-stream", cuts: Array(repeating: 1_000, count: 600))
        #expect(outcome.text == event + "data: {\"choices\":[{}]}\n\n")
    }

    @Test func anAnswerThatIsCutIsCountedFromWhatPassed() throws {
        let golden = Self.streams[0]
        let answer = try Metered.fixture(golden.file)
        let outcome = try run(golden, Array(answer.prefix(800)), end: .clientGone)
        #expect(outcome.call.usageEstimated.contains("client-gone"))
        #expect(outcome.call.quantities.outputTokens == 1)
        // A document whose usage had passed already needs no estimate.
        let document = Self.documents[0]
        let whole = try run(document, Metered.fixture(document.file), end: .clientGone)
        #expect(whole.nanos == document.nanos && whole.reading.usageEstimated.isEmpty)
        #expect(whole.reading.isLastWordHeard && !outcome.reading.isLastWordHeard)
        // One that broke off inside its usage has none.
        let text = String(decoding: try Metered.fixture(document.file), as: UTF8.self)
        let cut = try #require(text.range(of: "\"total_tokens\""))
        let broken = try run(document, Array(text[..<cut.lowerBound].utf8), end: .upstreamCut)
        #expect(broken.call.usageEstimated.contains("upstream-cut"))
        #expect(broken.call.quantities.outputTokens == 6)  // 22 bytes of text
        #expect(!broken.reading.isLastWordHeard)
    }

    /// What a stream ends with is said when its usage was, whether or not the rest is waited for; a count in between is not it.
    @Test func whatAKillCutsShortIsCountedFromWhatPassedIfItWasSent() throws {
        var begun = WireCallRecorded()
        begun.serviceTier = "flex"
        begun.quantities.requests = 1
        begun.quantities.inputTokens = 40
        func read(_ isSent: Bool, _ status: Int, _ output: Int64) -> MeterReading {
            .cutShort(begun, isSent: isSent, status: status, output: output)
        }
        let cut = read(true, 200, 7)
        #expect(cut.quantities.inputTokens == 40 && cut.quantities.outputTokens == 7 && cut.quantities.requests == 1)
        #expect(cut.serviceTier == "flex" && cut.usageEstimated.hasPrefix("the gateway was killed") && !cut.isPending)
        #expect(read(true, 0, 0).quantities.inputTokens == 40)
        for nothing in [read(false, 0, 0), read(true, 429, 0), read(true, 500, 3)] {
            #expect(!nothing.isUse && nothing.usageEstimated.isEmpty)
        }
        begun.bound.nanos = 1
        #expect(read(true, 0, 0).isPending && !read(false, 0, 0).isPending)
        begun.quantities = WireQuantities()
        #expect(!read(true, 200, 0).isUse)
    }

    /// Each in the unit that its price has.
    @Test func whatIsAskedForIsCountedByItsRoute() throws {
        func asked(_ path: String, _ body: String) throws -> WireQuantities {
            let route = try #require(RouteMatch(method: "POST", target: path, speaksAnthropic: false)?.route)
            let facts = try Array(body.utf8).withUnsafeBytes {
                try RequestFacts.read(route, contentType: "application/json", body: $0)
            }
            return MeterReading.useOfRequest(route, facts)
        }
        let speech = try asked("/v1/audio/speech", #"{"model":"tts-1","voice":"a","input":"twelve chars"}"#)
        #expect(speech.characters == 12 && speech.inputTokens == 0 && speech.requests == 1)
        let images = try asked("/v1/images/generations", #"{"model":"gpt-image-1","prompt":"a cat","n":4}"#)
        #expect(images.images == 4 && images.inputTokens == 0)
        let chat = try asked(
            "/v1/chat/completions", #"{"model":"gpt-4o","messages":[{"role":"user","content":"is it?"}]}"#)
        #expect(chat.inputTokens > 0 && chat.images == 0)
        #expect(try asked("/v1/moderations", #"{"input":"a"}"#) == WireQuantities())
    }

    @Test func aNameStandsForTheModelThatAnsweredToItLast() throws {
        func call(
            _ asked: String, _ model: String, upstream: String = "main", estimated: String = "", requests: Int64 = 1
        )
            -> WireCallRecorded
        {
            var call = WireCallRecorded()
            (call.upstream, call.modelAsked, call.model, call.usageEstimated) = (upstream, asked, model, estimated)
            call.quantities.requests = requests
            return call
        }
        var served = ServedModels()
        served.take(call("gpt-4o", "gpt-4o-2024-05-13"))
        served.take(call("gpt-4o", "gpt-4o-2024-08-06"))
        served.take(call("gpt-4o", "gpt-4o", estimated: "no answer"))
        served.take(call("gpt-4o", "gpt-4o", requests: 0))
        served.take(call("o3", "o3"))
        #expect(served.model(upstream: "main", asked: "gpt-4o") == "gpt-4o-2024-08-06")
        #expect(served.model(upstream: "other", asked: "gpt-4o") == nil)
        #expect(served.model(upstream: "main", asked: "o3") == nil)
        let back = try ServedModels(snapshot: try served.snapshot())
        #expect(back.model(upstream: "main", asked: "gpt-4o") == "gpt-4o-2024-08-06")
        #expect(throws: (any Error).self) { try ServedModels(snapshot: [1]) }
        served.take(call("gpt-4o", "gpt-4o"))
        #expect(served.model(upstream: "main", asked: "gpt-4o") == nil)
        for number in 0..<3_000 { served.take(call("name-\(number)", "model")) }
        #expect((0..<3_000).count { served.model(upstream: "main", asked: "name-\($0)") != nil } == 2_000)
    }

    @Test func theLastWordOfAStreamIsItsUsage() throws {
        for golden in Self.streams where !golden.estimated {
            #expect(try run(golden, Metered.fixture(golden.file), end: .clientGone).reading.isLastWordHeard)
        }
        let counting =
            #"data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#
        let outcome = try Metered.run(
            "/v1/chat/completions", body: Self.streaming, answer: Array((counting + "\n\n").utf8),
            type: "text/event-stream", end: .clientGone)
        #expect(outcome.call.quantities.outputTokens == 1 && !outcome.reading.isLastWordHeard)
    }

    @Test func errorsCostNothing() throws {
        for file in ["openai/error-429-rate-limit-requests.json", "openai/error-500.json"] {
            let outcome = try Metered.run("/v1/chat/completions", answer: Metered.fixture(file), status: 429)
            #expect(outcome.nanos == 0 && outcome.call.quantities == WireQuantities())
        }
    }

    @Test func countsThatContradictEachOtherAreKeptAndNotPriced() throws {
        for usage in [
            #"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":7}"#,
            #"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#,
            #"{"prompt_tokens":5,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":2}}"#,
            #"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6.5}"#,
            #"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":-6}"#,
            #"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":"6"}"#,
        ] {
            let outcome = try Metered.run(
                "/v1/chat/completions", answer: Array(#"{"model":"gpt-4o-mini","usage":\#(usage)}"#.utf8))
            #expect(outcome.nanos == nil, "\(usage)")
            #expect(!outcome.call.unpricedReason.isEmpty)
            #expect(outcome.call.quantities.inputTokens == 5)
        }
    }

    /// It has no price; towards a limit it counts with what it looks like.
    @Test func inputThatIsToldAndNotUnderstoodIsEstimated() throws {
        let answer = #"{"model":"gpt-4o-mini","usage":{"prompt_tokens":"1000","completion_tokens":7}}"#
        let outcome = try Metered.run("/v1/chat/completions", answer: Array(answer.utf8))
        #expect(outcome.nanos == nil && !outcome.call.unpricedReason.isEmpty)
        #expect(outcome.call.quantities.inputTokens > 0 && outcome.call.quantities.outputTokens == 7)
        #expect(outcome.reading.usageEstimated.hasPrefix("the usage cannot be read"))
    }

    @Test func anAnswerMadeInTheBackgroundCountsOnceWhenItIsFetched() throws {
        let body = #"{"model":"gpt-6-sol","background":true,"input":"a"}"#
        let queued = try Metered.run(
            "/v1/responses", body: body, answer: Metered.fixture("openai/response-background-queued.json"))
        #expect(queued.nanos == 0)
        #expect(queued.reading.countsOnceAs == "resp_EXAMPLE0001" && queued.reading.isPending)
        let made = String(decoding: try Metered.fixture("openai/response.json"), as: UTF8.self)
        let fetched = try Metered.run(
            "/v1/responses/resp_EXAMPLE0001", method: "GET",
            answer: Array(made.replacing(#""background": false"#, with: #""background": true"#).utf8))
        #expect(fetched.nanos == 15_756_000)
        #expect(fetched.reading.countsOnceAs == "resp_EXAMPLE0001" && fetched.reading.isUse)
        #expect(!fetched.reading.isPending)
        // What was made while the caller waited was counted then.
        let again = try Metered.run("/v1/responses/resp_EXAMPLE0001", method: "GET", answer: Array(made.utf8))
        #expect(again.nanos == 0 && again.call.quantities == WireQuantities())
    }

    /// It holds its bound back no longer, though nobody is told what it used.
    @Test(arguments: [("queued", false), ("in_progress", false), ("failed", true), ("cancelled", true)])
    func anAnswerInTheBackgroundThatEndsWithoutUseIsKnownToHaveEnded(state: String, isOver: Bool) throws {
        let answer = #"{"id":"resp_7","background":true,"status":"\#(state)","model":"gpt-4o","usage":null}"#
        let fetched = try Metered.run("/v1/responses/resp_7", method: "GET", answer: Array(answer.utf8))
        #expect(fetched.reading.hasEndedUnused == isOver && !fetched.reading.isPending)
        #expect(fetched.reading.answer == "resp_7" && !fetched.reading.isUse)
    }

    @Test func speechIsCountedByTheRequestsCharacters() throws {
        // 5 characters at 15.00 per million
        let outcome = try Metered.run(
            "/v1/audio/speech", body: #"{"model":"tts-1","input":"H\u00e9llo"}"#, answer: [1, 2, 3], type: "audio/mpeg")
        #expect(outcome.nanos == 75_000)
        #expect(outcome.client == [1, 2, 3])
    }

    /// Captions and plain text have no place for usage, and a transcript costs something all the same.
    @Test func soundWhoseUseIsNotToldCountsByItsSize() throws {
        let form =
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
            + "--b\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\ntext\r\n"
            + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n"
            + String(repeating: "x", count: 80_000) + "\r\n--b--\r\n"
        let outcome = try Metered.run(
            "/v1/audio/transcriptions", body: form, bodyType: "multipart/form-data; boundary=b",
            answer: Array("hello".utf8), type: "text/plain; charset=utf-8")
        #expect(outcome.reading.quantities.seconds == 10)
        // 10 s of 0.36 an hour
        #expect(outcome.nanos == 1_000_000)
        #expect(outcome.reading.usageEstimated.hasSuffix("guessed from its size"))
    }

    @Test(arguments: ["{}", #"{"prompt_tokens":null,"completion_tokens":null}"#, #"{"x":1}"#])
    func aUsageThatTellsNothingIsNone(_ usage: String) throws {
        let answer = #"{"model":"gpt-4o-mini","choices":[{"message":{"content":"hello there"}}],"usage":\#(usage)}"#
        let outcome = try Metered.run("/v1/chat/completions", answer: Array(answer.utf8))
        #expect(outcome.reading.usageEstimated.hasPrefix("the answer names no usage"))
        #expect(outcome.call.quantities.outputTokens == 3 && outcome.call.quantities.inputTokens > 0)
    }

    @Test(arguments: ["", "text/plain", "application/octet-stream"])
    func anAnswerOfAnotherTypeIsReadAsWhatTheRouteAnswers(_ type: String) throws {
        let answer = #"{"model":"gpt-4o-mini","usage":{"prompt_tokens":1000,"completion_tokens":100}}"#
        let outcome = try Metered.run("/v1/chat/completions", answer: Array(answer.utf8), type: type)
        // 1,000 × 0.15 + 100 × 0.60
        #expect(outcome.nanos == 210_000 && outcome.reading.usageEstimated.isEmpty)
        #expect(outcome.text == answer)
    }

    @Test func longContextPricesCountForTheWholeCall() throws {
        // 300,000 × 4.00 + 10 × 15.00
        let usage =
            #"{"model":"gpt-6-sol","usage":{"prompt_tokens":300000,"completion_tokens":10,"total_tokens":300010}}"#
        #expect(try Metered.run("/v1/chat/completions", answer: Array(usage.utf8)).nanos == 1_200_150_000)
    }

    @Test func inferenceInTheUnitedStatesIsATenthDearerAndSearchesAreNot() throws {
        // (100 × 2.00 + 10 × 10.00) × 1.1, and a search
        let usage =
            #"{"model":"claude-sonnet-5-5","usage":{"input_tokens":100,"output_tokens":10,"inference_geo":"us","server_tool_use":{"web_search_requests":1}}}"#
        #expect(try Metered.run("/v1/messages", answer: Array(usage.utf8)).nanos == 330_000 + 10_000_000)
    }

    @Test func toolsThatCostSomethingBesidesMarkThePrice() throws {
        func isMarked(_ type: String) throws -> Bool {
            let answer =
                #"{"model":"gpt-4o","output":[{"type":"\#(type)"}],"usage":{"input_tokens":5,"output_tokens":1}}"#
            return try Metered.run("/v1/responses", answer: Array(answer.utf8)).call.priceEstimated
        }
        for type in ["code_interpreter_call", "file_search_call", "computer_call", "something_new_call"] {
            #expect(try isMarked(type), "\(type)")
        }
        for type in ["function_call", "message", "reasoning", "mcp_call", "function_call_output"] {
            #expect(try !isMarked(type), "\(type)")
        }
        let code =
            #"{"model":"claude-sonnet-5-5","content":[{"type":"server_tool_use"},{"type":"code_execution_tool_result"}],"usage":{"input_tokens":5,"output_tokens":1}}"#
        #expect(try Metered.run("/v1/messages", answer: Array(code.utf8)).call.priceEstimated)
    }

    @Test func namesInAnAnswerAreMadePrintable() throws {
        let answer = "{\"model\":\"gpt\u{202E}-4\u{1B}o\u{9B}\",\"usage\":{\"prompt_tokens\":1}}"
        #expect(try Metered.run("/v1/chat/completions", answer: Array(answer.utf8)).call.model == "gpt-4o")
    }

    @Test func whateverComesNeitherFailsNorIsKept() throws {
        var random = SeededGenerator(seed: 99)
        let alphabet = Array(#"{}[]",:\ 01-.e"usage":null"choices":[]"data: "#.utf8) + [0x0A, 0x0D, 0x0A, 0xFF]
        for _ in 0..<2_000 {
            let answer = (0..<300).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] }
            for type in ["application/json", "text/event-stream"] {
                let whole = try Metered.run(
                    "/v1/chat/completions", body: Self.streaming, answer: answer, type: type)
                let pieces = try Metered.run(
                    "/v1/chat/completions", body: Self.streaming, answer: answer, type: type,
                    cuts: (0..<60).map { _ in Int.random(in: 0...9, using: &random) })
                #expect(whole == pieces, "\(String(decoding: answer, as: UTF8.self))")
            }
        }
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(try Metered.run("/v1/chat/completions", answer: deep).client == deep)
    }
}
