import JSON
import Metering
import TestSupport
import Testing

@Suite struct RequestFactsTests {
    private func chat(_ body: String) throws -> RequestFacts { try Metered.facts("/v1/chat/completions", body) }

    private func refusal(_ bytes: [UInt8], _ target: String = "/v1/chat/completions") -> MalformedRequest? {
        do {
            let route = try Metered.match(target).route
            _ = try bytes.withUnsafeBytes {
                try RequestFacts.read(route, contentType: "application/json", body: $0)
            }
            return nil
        } catch { return error as? MalformedRequest }
    }

    @Test func whatBoundsACallIsRead() throws {
        let facts = try chat(
            #"{"model":"gpt-6-sol","max_tokens":10,"max_completion_tokens":1e3,"n":3,"service_tier":"flex","stream":false,"user":"u","metadata":{"a":"b"}}"#
        )
        #expect(facts.model == "gpt-6-sol")
        #expect(facts.maxOutputTokens == 1_000)
        #expect(facts.choices == 3)
        #expect(facts.serviceTier == "flex")
        #expect(facts.user == "u")
        #expect(facts.metadata == [.init("a", "b")])
        #expect(facts.splice == nil)
    }

    /// A server that passes over what it does not know would answer without the bound.
    @Test func anotherRoutesMemberBoundsNothing() throws {
        let all = #"{"model":"m","max_tokens":1,"max_completion_tokens":2,"max_output_tokens":3,"input":"a"}"#
        for (target, most) in [
            ("/v1/chat/completions", 2), ("/v1/completions", 2), ("/v1/responses", 3), ("/v1/messages", 1),
            ("/v1/embeddings", nil),
        ] as [(String, Int64?)] {
            #expect(try Metered.facts(target, all).maxOutputTokens == most, "\(target)")
        }
        #expect(try chat(#"{"model":"m","max_output_tokens":1}"#).maxOutputTokens == nil)
        #expect(try Metered.facts("/v1/responses", #"{"model":"m","max_tokens":1}"#).maxOutputTokens == nil)
    }

    @Test func namesAndValuesWithEscapesAreTheSameNames() throws {
        let facts = try chat(#"{"mod\u0065l":"gpt\u002d4o","str\u0065am":true}"#)
        #expect(facts.model == "gpt-4o")
        #expect(facts.streams)
        #expect(refusal(Array(#"{"model":"a","mod\u0065l":"b"}"#.utf8))?.reason.contains("model is repeated") == true)
    }

    @Test(arguments: [
        ("", "{"), ("", "[]"), ("", "1"), ("", ""), ("model", "{}"), ("model", #"{"model":""}"#),
        ("model", #"{"model":5}"#), ("model", "{\"model\":\"a\\nb\"}"), ("model", #"{"model":null}"#),
        ("stream", #"{"model":"a","stream":"true"}"#), ("max_tokens", #"{"model":"a","max_tokens":-1}"#),
        ("max_tokens", #"{"model":"a","max_tokens":1e99999}"#), ("n", #"{"model":"a","n":1.5}"#),
        ("max_tokens", #"{"model":"a","max_tokens":99999999999999999999999999999999999999999999}"#),
        ("", #"{"model":"a"}{"model":"b"}"#), ("", #"{"model":"a","model":"b"}"#), ("", #"{"model":"a",}"#),
        ("", #"{"model":"a","stream":true,"stream":false}"#), ("", "{\"model\":\"a\u{0}\"}"),
        ("", #"{"model":"a","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#),
        ("", "\u{FEFF}{\"model\":\"a\"}"), ("", #"{"model":"a","x":NaN}"#), ("", #"{"model":"a","x":"\ud"}"#),
        ("", #"{"model":"a","x":01}"#),
    ])
    func aBodyThatServersReadDifferentlyIsRefused(_ member: String, _ body: String) throws {
        let refused = try #require(refusal(Array(body.utf8)))
        #expect(refused.member == (member.isEmpty ? nil : member))
    }

    @Test func invalidUTF8IsRefused() {
        let sequences: [[UInt8]] = [
            [0xFF], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3],
            [0xE2, 0x82],
        ]
        for sequence in sequences {
            #expect(refusal(Array(#"{"model":"a","x":""#.utf8) + sequence + Array("\"}".utf8)) != nil)
        }
        #expect(refusal(Array(#"{"model":"a","x":"é€😀"}"#.utf8)) == nil)
    }

    @Test func aHundredThousandLevelsAreRefusedWithoutRecursion() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(refusal(Array(#"{"model":"a","x":"#.utf8) + deep)?.reason.contains("nests") == true)
    }

    /// The reader and the full parser accept the same documents, whatever is done to one.
    @Test func itRefusesExactlyWhatIsNoJSON() throws {
        let seed = Array(#"{"model":"é\u00e9\"","a":[1,-2.5e+3,true,null,{"b":[[],{}]}],"c":"x\\"}"#.utf8)
        var random = SeededGenerator(seed: 4_711)
        let alphabet = Array(#"{}[]",:\0123.eE+-truefalsnl "#.utf8) + [0x80, 0xC3, 0x1F, 0x0A]
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                case 1: bytes.insert(alphabet[Int.random(in: 0..<alphabet.count, using: &random)], at: at)
                default: bytes.remove(at: at)
                }
            }
            let isJSON: Bool
            do {
                _ = try JSONValue.parse(bytes)
                isJSON = true
            } catch { isJSON = false }
            let isRefused = refusal(bytes)?.reason.hasPrefix("the body is not valid JSON") ?? false
            let repeats = refusal(bytes)?.reason.contains("repeated") ?? false
            #expect(isRefused == !isJSON || repeats, "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test(arguments: [
        (#"{"model":"a","stream":true}"#, #"{"stream_options":{"include_usage":true},"model":"a","stream":true}"#),
        (
            #"{"stream":true, "stream_options" : {"include_obfuscation":false},"model":"a"}"#,
            #"{"stream":true, "stream_options" : {"include_usage":true,"include_obfuscation":false},"model":"a"}"#
        ),
        (
            #"{"stream":true,"stream_options":{ },"model":"a"}"#,
            #"{"stream":true,"stream_options":{"include_usage":true },"model":"a"}"#
        ),
        (
            #"{"stream":true,"stream_options":null,"model":"a"}"#,
            #"{"stream":true,"stream_options":{"include_usage":true},"model":"a"}"#
        ),
        (
            #"{"stream":true,"stream_options":{"include_usage":false},"model":"a"}"#,
            #"{"stream":true,"stream_options":{"include_usage":true},"model":"a"}"#
        ),
        (
            #"{"stream":true,"stream_options":{"include_usage":null},"model":"a"}"#,
            #"{"stream":true,"stream_options":{"include_usage":true},"model":"a"}"#
        ),
    ])
    func usageIsAskedForWithoutTouchingAnotherByte(_ body: String, _ sent: String) throws {
        let facts = try chat(body)
        let splice = try #require(facts.splice)
        #expect(!facts.asksUsage)
        #expect(String(decoding: Array(body.utf8).withUnsafeBytes { splice.applied(to: $0) }, as: UTF8.self) == sent)
    }

    @Test func whatAsksForUsageAlreadyIsSentAsItCame() throws {
        let facts = try chat(#"{"stream":true,"stream_options":{"include_usage":true},"model":"a"}"#)
        #expect(facts.asksUsage && facts.splice == nil)
        #expect(try chat(#"{"stream":true,"stream_options":5,"model":"a"}"#).splice == nil)
        #expect(try Metered.facts("/v1/responses", #"{"stream":true,"model":"a","input":""}"#).splice == nil)
    }

    @Test func textIsWeighedByItsBytesAndPicturesAndSoundAreNot() throws {
        let body = #"{"model":"a","messages":[{"role":"user","content":"hello"}]}"#
        #expect(try chat(body).input.tokenBound == Int64(body.utf8.count))
        let picture = String(repeating: "A", count: 100_000)
        let seen = try chat(
            #"{"model":"a","messages":[{"content":[{"image_url":{"url":"data:image/png;base64,\#(picture)"}},{"image_url":{"url":"https://x.example/a.png"}}]}]}"#
        )
        #expect(seen.input.images == 2)
        #expect(seen.input.textBytes < 200)
        let heard = try chat(#"{"model":"a","messages":[{"input_audio":{"data":"\#(picture)","format":"mp3"}}]}"#)
        #expect(heard.input.audioBytes == 100_000)
        let claude = try Metered.facts(
            "/v1/messages", #"{"model":"c","max_tokens":5,"messages":[{"source":{"data":"iVBOR\#(picture)"}}]}"#)
        #expect(claude.input.images == 1 && claude.input.tokenBound < 6_000)
        #expect(try Metered.facts("/v1/responses", #"{"model":"a","previous_response_id":"resp_1"}"#).input.isOpen)
        #expect(try Metered.facts("/v1/responses", #"{"model":"a","tools":[{"type":"web_search"}]}"#).input.isOpen)
        #expect(!(try chat(body).input.isOpen))
    }
}
