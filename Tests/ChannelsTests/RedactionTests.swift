import Secret
import Testing

@testable import Channels

@Suite struct RedactionTests {
    /// One rule for terminals, logs and events: what steers a line or hides in it is gone.
    @Test(arguments: [
        "\u{202E}", "\u{2066}", "\u{200F}", "\u{200B}", "\u{9B}", "\u{1B}", "\u{2028}", "\u{FEFF}", "\u{E0041}",
    ])
    func whatIsHiddenInTheOtherSidesWordsIsGone(_ hidden: String) {
        let shown = Redaction()("it\(hidden)was \(hidden) refused by \(hidden)a@b.example")
        #expect(shown == "it was refused by ‹address›")
    }

    @Test func aSecretIsGoneAlsoWhereSomethingHiddenStandsBesideIt() {
        let redaction = Redaction(Secret(Array("xoxb-12345678".utf8)))
        #expect(redaction("\u{202E}xoxb-12345678\u{202C} is wrong") == "‹secret› is wrong")
    }
}
