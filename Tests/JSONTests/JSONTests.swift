import JSON
import Testing

@Suite struct JSONParsingTests {
    @Test func numbersStayTheTextTheyWereWrittenAs() throws {
        let text = #"[0.000004500000000000000000000000000000000,0E-6176,-1e5,30.0,12345678901234567890]"#
        let values = try #require(try JSONValue.parse(text).array)
        #expect(
            values.map(\.numberText) == [
                "0.000004500000000000000000000000000000000", "0E-6176", "-1e5", "30.0", "12345678901234567890",
            ])
        #expect(try JSONValue.parse(text).text == text)
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "-", "1.", ".5", "1e", "+1", "nul",
        "truth",
        "NaN", "\"", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "1 2", "[1}", "{\"a\":1]", "'a'", "\u{FEFF}1", "[1,,2]",
        "--1",
    ])
    func whatIsNotJSONIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: JSONError.self) { try JSONValue.parse([0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: JSONError.self) { try JSONValue.parse([0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func nestingIsBoundedWithoutRecursingIntoIt() throws {
        let limit = JSONValue.depthLimit
        let allowed = String(repeating: "[", count: limit) + String(repeating: "]", count: limit)
        #expect(throws: Never.self) { try JSONValue.parse(allowed) }
        let deep = String(repeating: "[", count: 1_000_000)
        let failure = #expect(throws: JSONError.self) { try JSONValue.parse(deep) }
        #expect(failure?.reason.contains("deep") == true)
    }

    @Test func escapesBecomeTheirCharacters() throws {
        #expect(try JSONValue.parse(#""\"\\\/\b\f\n\r\té\ud83d\ude00""#).string == "\"\\/\u{8}\u{C}\n\r\té😀")
        #expect(try JSONValue.parse(#""\u0000""#).string == "\0")
    }

    @Test(arguments: [#""\ud83d""#, #""\ude00""#]) func aLoneSurrogateIsReplaced(_ text: String) throws {
        #expect(try JSONValue.parse(text).string == "\u{FFFD}")
    }

    @Test func aHighSurrogateBeforeAnotherEscapeKeepsThatEscape() throws {
        #expect(try JSONValue.parse(#""\ud83d\u0041""#).string == "\u{FFFD}A")
        #expect(try JSONValue.parse(#""\ud83d\n""#).string == "\u{FFFD}\n")
    }

    @Test func lineEndsAndCombiningMarksSurviveAsTheyAre() throws {
        #expect(try JSONValue.parse("\"e\u{301}\\r\\n\"").string == "e\u{301}\r\n")
        #expect(try JSONValue.parse("{\r\n\t\"a\" : 1 }\r\n")["a"]?.integer == 1)
    }

    @Test func ofARepeatedMemberTheLastCounts() throws {
        #expect(try JSONValue.parse(#"{"a":1,"b":2,"a":3}"#)["a"] == 3)
        #expect(try JSONValue.parse(#"{"a":null}"#)["a"] == .null)
        #expect(try JSONValue.parse("{}")["a"] == nil)
    }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("-7", -7), ("30.0", 30), ("3e1", 30), ("3E+1", 30), ("-3.50e1", -35), ("300e-2", 3),
        ("0E-6176", 0), ("0e999999", 0), ("0.0", 0), ("9223372036854775807", Int64.max),
        ("-9223372036854775808", Int64.min), ("-9223372036854775808.0", Int64.min), ("1e18", 1_000_000_000_000_000_000),
    ])
    func wholeNumbersAreReadHoweverTheyAreWritten(_ text: String, _ expected: Int64) throws {
        #expect(try JSONValue.parse(text).integer == expected)
    }

    @Test(arguments: ["1.5", "1e-1", "9223372036854775808", "1e19", "1e999999999999999999999", "-0.5", "5e-6176"])
    func fractionsAndTooLargeNumbersAreNoIntegers(_ text: String) throws {
        #expect(try JSONValue.parse(text).integer == nil)
    }

    @Test func anErrorNamesItsPlace() {
        let failure = #expect(throws: JSONError.self) { try JSONValue.parse("[1, x]") }
        #expect(failure?.offset == 4)
    }
}

@Suite struct JSONWritingTests {
    @Test func whatIsWrittenIsReadBackTheSame() throws {
        let value: JSONValue = [
            "b": [1, -2, .number("0.10"), nil, true, false], "a": ["x": "quote \" back \\ line\n\r\t null \0 한국어 😀"],
            "empty": [:], "none": [],
        ]
        #expect(try JSONValue.parse(value.text) == value)
        #expect(try JSONValue.parse(value.prettyText) == value)
        #expect(!value.text.contains("\n"))
    }

    @Test func membersKeepTheirOrder() {
        let value: JSONValue = ["b": 1, "a": 2]
        #expect(value.text == #"{"b":1,"a":2}"#)
        #expect(value.prettyText == "{\n  \"b\": 1,\n  \"a\": 2\n}")
    }

    @Test func whatIsHiddenIsEscaped() throws {
        #expect(JSONValue.string("a\u{202E}b\u{9B}\u{2066}").text == #""a\u202eb\u009b\u2066""#)
        let tag = JSONValue.string("\u{E0041}비용👩‍👧")
        #expect(tag.text.unicodeScalars.allSatisfy { !$0.isHidden } && tag.text.contains(#"\udb40\udc41비용"#))
        #expect(try JSONValue.parse(tag.text) == tag)
        #expect(JSONValue.string("\u{0}\u{1F}\u{7F}\u{2028}").text == #""\u0000\u001f\u007f\u2028""#)
    }
}
