import FinOps
import JSON
import Notices
import SwiftProtobuf
import Testing

@Suite struct MailLimitTests {
    @Test(arguments: [1, 5, 6, 40, 100], NoticeLanguage.allCases)
    func bothPartsTellEveryFact(_ count: Int, _ language: NoticeLanguage) throws {
        let notice = Samples.notice(Samples.many(count), destination: "mail-\(language.rawValue)")
        let mail = MailText(notice, language: language, settings: Samples.settings)
        for part in [mail.text, mail.html] {
            for index in 1...count { #expect(part.contains("chat-assistant-\(index) "), "\(index) of \(count)") }
        }
        try Self.check(mail)
    }

    @Test(arguments: 0..<60) func noTextWhateverItHoldsBreaksTheMail(_ seed: UInt64) throws {
        var hostile = Hostile(seed: seed)
        let count = seed == 0 ? 100 : Int.random(in: 1...100, using: &hostile.random)
        let notice = hostile.notice(facts: count)
        for language in NoticeLanguage.allCases {
            try Self.check(MailText(notice, language: language, settings: Samples.settings), seed: seed)
        }
        let event = SentryText(notice, settings: Samples.settings).body
        #expect(try JSONValue.parse(event.text) == event, "seed \(seed)")
    }

    @Test func whatSomebodyWroteIsTextInTheDocument() {
        let notice = Samples.notice([
            Samples.fact(
                .crossed,
                .thresholdCrossed(
                    .with {
                        $0 = Samples.crossed
                        $0.team = "<script>alert('1')</script>"
                        $0.name = "\"a\" & <b>"
                    }))
        ])
        let mail = MailText(notice, language: .korean, settings: Samples.settings)
        #expect(mail.html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; · &quot;a&quot; &amp; &lt;b&gt;"))
        #expect(mail.html.contains("https://finops.example.com/projects/%22a%22%20%26%20%3Cb%3E"))
        #expect(mail.subject.contains("<script>alert('1')</script> · \"a\" & <b>"))
    }

    static func check(_ mail: MailText, seed: UInt64 = 0) throws {
        #expect(mail.html.utf8.count < 100_000, "seed \(seed): \(mail.html.utf8.count)")
        #expect(!mail.subject.contains { $0.isNewline } && (1...400).contains(mail.subject.utf16.count), "seed \(seed)")
        #expect(!mail.text.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
        let tags = try Tags(mail.html)
        #expect(tags.unclosed == [], "seed \(seed)")
        #expect(
            tags.names.isDisjoint(with: ["script", "img", "svg", "iframe", "object", "link", "form"]), "seed \(seed)")
        #expect(tags.attributes.isDisjoint(with: ["onload", "onclick", "src", "background", "id"]), "seed \(seed)")
        for address in tags.addresses { #expect(address.hasPrefix("https://finops.example.com/"), "seed \(seed)") }
        #expect(!mail.html.contains("url(") && !mail.html.contains("@import"))
    }
}

/// Reads a document's tags as strictly as our own markup allows: what else looks like one is an escape that was forgotten.
struct Tags {
    var names: Set<String> = []
    var attributes: Set<String> = []
    var addresses: [String] = []
    var unclosed: [String] = []

    private static let void: Set<String> = ["meta", "br"]

    struct Malformed: Error { let tag: String }

    init(_ html: String) throws {
        for piece in html.split(separator: "<", omittingEmptySubsequences: false).dropFirst() {
            guard let end = piece.firstIndex(of: ">") else { throw Malformed(tag: String(piece.prefix(60))) }
            let tag = piece[..<end]
            if tag == "!DOCTYPE html" { continue }
            if tag.first == "/" {
                guard unclosed.popLast() == String(tag.dropFirst()) else { throw Malformed(tag: String(tag)) }
                continue
            }
            // Values stand in double quotes, so every second piece is one.
            let quoted = tag.split(separator: "\"", omittingEmptySubsequences: false)
            let words = quoted.enumerated().filter { $0.offset.isMultiple(of: 2) }
                .flatMap { $0.element.split(separator: " ") }.map { String($0) }
            guard let name = words.first, quoted.count.isMultiple(of: 2) == false else {
                throw Malformed(tag: String(tag))
            }
            names.insert(name)
            for word in words.dropFirst() {
                guard word.hasSuffix("=") else { throw Malformed(tag: String(tag)) }
                attributes.insert(String(word.dropLast()))
            }
            for (index, part) in quoted.enumerated() where part.hasSuffix("href=") {
                addresses.append(String(quoted[index + 1]))
            }
            if !Self.void.contains(name) { unclosed.append(name) }
        }
    }
}
