import EventLog
import Foundation
import JSON
import Notices
import Testing

/// What people read, word for word. `FINOPS_RECORD_GOLDEN=1` writes the files anew, and the difference is reviewed; a normal
/// run writes nothing.
@Suite struct GoldenNoticeTests {
    private static let isRecording = ProcessInfo.processInfo.environment["FINOPS_RECORD_GOLDEN"] == "1"

    @Test(arguments: Samples.all, NoticeLanguage.allCases)
    func aNoticeReadsAsItsGoldenFilesDo(_ sample: Samples.Sample, _ language: NoticeLanguage) throws {
        let slack = SlackText(sample.notice, language: language, settings: Samples.settings)
        let mail = MailText(sample.notice, language: language, settings: Samples.settings)
        let name = "\(sample.name).\(language.rawValue)"
        try compare("\(name).slack.json", slack.body.prettyText + "\n")
        try compare("\(name).slack.txt", (slack.fallbackBody["text"]?.string ?? "") + "\n")
        try compare("\(name).mail.txt", "Subject: \(mail.subject)\n\n\(mail.text)")
        try compare("\(name).mail.html", mail.html)
    }

    @Test(arguments: Samples.all)
    func aSentryEventReadsAsItsGoldenFileDoes(_ sample: Samples.Sample) throws {
        let event = SentryText(sample.notice, settings: Samples.settings)
        try compare("\(sample.name).sentry.json", event.body.prettyText + "\n")
    }

    @Test func everyGoldenFileBelongsToASample() throws {
        let folder = try #require(Bundle.module.url(forResource: "Golden", withExtension: nil))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let known = Set(Samples.all.map(\.name))
        #expect(names.filter { !known.contains(String($0.prefix { $0 != "." })) } == [])
    }

    private func compare(_ name: String, _ text: String) throws {
        if Self.isRecording {
            let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(name)")
            return try Data(text.utf8).write(to: file)
        }
        let file = try #require(
            Bundle.module.url(forResource: "Golden/\(name)", withExtension: nil), "no golden file \(name): record it")
        let golden = try String(contentsOf: file, encoding: .utf8)
        #expect(text == golden, "\(name)")
    }
}
