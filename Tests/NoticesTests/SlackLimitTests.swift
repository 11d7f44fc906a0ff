import FinOps
import JSON
import Notices
import SwiftProtobuf
import Testing

@Suite struct SlackLimitTests {
    @Test(arguments: [1, 2, 3, 4, 5, 10, 30, 50, 75, 99, 100], NoticeLanguage.allCases)
    func everyFactIsToldWithItsFigures(_ count: Int, _ language: NoticeLanguage) throws {
        let slack = SlackText(
            Samples.notice(Samples.many(count)), language: language, settings: Samples.settings)
        let text = try Self.check(slack)
        for index in 0..<count {
            let line = try #require(
                text.split(separator: "\n").first {
                    $0.contains("chat-assistant-\(index + 1) ") || $0.hasSuffix("chat-assistant-\(index + 1)")
                        || $0.contains("chat-assistant-\(index + 1)…")
                }, "\(index + 1) of \(count)")
            #expect(line.contains(index.isMultiple(of: 2) ? "$12.34 / $10.00 (123.4 %)" : "$8.50 / $10.00 (85.0 %)"))
        }
    }

    @Test(arguments: NoticeLanguage.allCases) func whatHasNoLineIsCounted(_ language: NoticeLanguage) throws {
        var notice = Samples.notice(Samples.many(Notice.mostFacts))
        notice.unlisted = 899
        let slack = SlackText(notice, language: language, settings: Samples.settings)
        let text = try Self.check(slack)
        let mail = MailText(notice, language: language, settings: Samples.settings)
        try MailLimitTests.check(mail)
        for part in [text, mail.text, mail.html] {
            #expect(part.contains("chat-assistant-100") && part.contains("899") && part.contains("finops alert list"))
        }
        // Of 999 one stands in the first line.
        #expect(slack.body["text"]?.string?.contains("998") == true && mail.subject.contains("998"))
    }

    @Test(arguments: 0..<60) func noTextWhateverItHoldsBreaksALimit(_ seed: UInt64) throws {
        var hostile = Hostile(seed: seed)
        let count = seed == 0 ? 100 : Int.random(in: 1...100, using: &hostile.random)
        let notice = hostile.notice(facts: count)
        for language in NoticeLanguage.allCases {
            let slack = SlackText(notice, language: language, settings: Samples.settings)
            let text = try Self.check(slack, seed: seed)
            // Nothing but our own links stands in angle brackets, and nothing mentions anybody.
            for link in text.split(separator: "<", omittingEmptySubsequences: false).dropFirst() {
                #expect(link.hasPrefix("https://finops.example.com/"), "seed \(seed): \(link.prefix(40))")
            }
            for name in text.split(separator: "@", omittingEmptySubsequences: false).dropFirst() {
                #expect(name.first == "\u{200B}" || Self.isInCode(text, before: name), "seed \(seed)")
            }
            #expect(!text.unicodeScalars.contains("\u{202E}") && !text.unicodeScalars.contains("\u{0}"))
        }
    }

    @Test func namesNeitherMentionNorLinkNorFormat() throws {
        let notice = Samples.notice([
            Samples.fact(
                .crossed,
                .thresholdCrossed(
                    .with {
                        $0 = Samples.crossed
                        $0.team = "<!channel> & @here"
                        $0.name = "*x* _y_ ~z~ `w` search_api https://evil.example"
                        $0.cause.model = "a`b<c>&d"
                    }))
        ])
        let text = try Self.check(SlackText(notice, language: .korean, settings: Samples.settings))
        #expect(
            text.contains(
                "&lt;!channel&gt; &amp; @\u{200B}here · ∗x∗ ＿y＿ ∼z∼ ˋwˋ search_api https:\u{200B}//evil.example"))
        #expect(text.contains("`aˋb&lt;c&gt;&amp;d`"))
    }

    /// Block Kit's limits, and the one of all texts together that no document names.
    @discardableResult
    static func check(_ slack: SlackText, seed: UInt64 = 0) throws -> String {
        let blocks = try #require(slack.body["blocks"]?.array)
        #expect(blocks.count <= 50, "seed \(seed)")
        let text = try #require(slack.body["text"]?.string)
        #expect((1...4_000).contains(text.utf16.count) && !text.contains("\n"), "seed \(seed)")
        var texts: [String] = []
        for block in blocks {
            switch block["type"]?.string {
            case "section":
                let text = try #require(block["text"]?["text"]?.string)
                #expect((1...3_000).contains(text.utf16.count), "seed \(seed): \(text.utf16.count)")
                texts.append(text)
            case "context":
                let elements = try #require(block["elements"]?.array)
                #expect((1...10).contains(elements.count), "seed \(seed)")
                texts += try elements.map { try #require($0["text"]?.string) }
            case "divider": break
            case let type: Issue.record("seed \(seed): a block \(type ?? "without type")")
            }
        }
        #expect(texts.allSatisfy { !$0.isEmpty })
        #expect(texts.reduce(0) { $0 + $1.utf16.count } <= 9_000, "seed \(seed)")
        let fallback = try #require(slack.fallbackBody["text"]?.string)
        #expect(fallback.utf16.count <= 10_000 && slack.fallbackBody["blocks"] == nil, "seed \(seed)")
        return texts.joined(separator: "\n")
    }

    /// Whether it stands behind an odd number of backticks of its line.
    private static func isInCode(_ text: String, before rest: Substring) -> Bool {
        text[..<rest.startIndex].split(separator: "\n", omittingEmptySubsequences: false).last
            .map { !$0.filter { $0 == "`" }.count.isMultiple(of: 2) } ?? false
    }
}
