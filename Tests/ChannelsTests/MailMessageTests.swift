import EventLog
import Foundation
import Notices
import TestSupport
import Testing
import Transfer

@testable import Channels

@Suite struct MailMessageTests {
    private let from = MailAddress("비용 알림 <alerts@example.com>")!
    private let to = [MailAddress("kim@example.com")!, MailAddress("Lee Min <lee@example.com>")!]

    private func message(
        subject: String = "🔴 [임계값 초과] 검색팀 · search-api · $12.34 / $10.00 (123.4 %) — 하루 한도를 넘었습니다",
        text: String = "한도를 넘었습니다.\n\n.점으로 시작하는 줄\nSee https://example.com/?a=b&c=d\n",
        html: String = "<p>한도를 <b>넘었습니다</b>.</p>\n"
    ) -> MailMessage {
        MailMessage(
            from: from, to: to, wording: MailWording(subject: subject, text: text, html: html), date: moment,
            messageID: "<0f1e2d3c@example.com>", references: "<window-4b5a6978@example.com>")
    }

    /// Recorded with `FINOPS_RECORD_GOLDEN=1`, where there is none.
    @Test func aMailIsTheSameByteForByteAsItAlwaysWas() throws {
        let name = "threshold-crossed.eml"
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/mail/\(name)")
        if ProcessInfo.processInfo.environment["FINOPS_RECORD_GOLDEN"] == "1",
            !FileManager.default.fileExists(atPath: source.path)
        {
            try Data(message().bytes).write(to: source)
        }
        #expect(
            String(decoding: message().bytes, as: UTF8.self)
                == String(decoding: try Data(contentsOf: source), as: UTF8.self))
    }

    @Test(arguments: [
        "", "Plain", "=?UTF-8?B?no?=", String(repeating: "A long subject in English, ", count: 12),
        String(repeating: "가나다라마바사", count: 30), "🔴 👩‍👩‍👧‍👦 e\u{301} 한", "tab\tand  blanks",
    ])
    func subjectsAndTextsComeBackAsTheyWere(_ subject: String) async throws {
        let text = "\(subject)\n..\n.\n\(String(repeating: "길고 긴 줄 ", count: 500))\n"
        let bytes = message(subject: subject, text: text, html: "<p>\(text)</p>").bytes
        #expect(bytes.allSatisfy { $0 < 0x80 })
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\r\n") { #expect(line.utf8.count <= 78) }
        try await withMailServer { running in
            let transport = try CurlMailTransport(TransferSettings())
            _ = try await transport.send(
                Mail(sender: from.address, recipients: to.map(\.address), message: bytes),
                to: MailServer(url: "smtp://127.0.0.1:\(running.port)"))
            let received = try await running.message()
            #expect(Array(received.raw) == bytes)
            #expect(received.defects == [])
            #expect(received.subject == subject.split { $0.isWhitespace }.joined(separator: " "))
            let lines = text.replacing("\n", with: "\r\n")
            #expect(received.text == lines)
            #expect(received.html == "<p>\(lines)</p>")
            #expect(received.fromName == "비용 알림")
            #expect(received.fromAddress == "alerts@example.com")
            #expect(received.to == ["kim@example.com", "lee@example.com"])
            #expect(received.date == "2026-11-22T08:00:00+00:00")
            #expect(received.messageID == "<0f1e2d3c@example.com>")
            #expect(received.references == "<window-4b5a6978@example.com>")
            #expect(
                received.headers == [
                    "Date", "From", "To", "Subject", "Message-ID", "References", "Auto-Submitted", "MIME-Version",
                    "Content-Type",
                ])
        }
    }

    @Test func noSubjectBringsAnotherHeader() {
        let text = String(decoding: message(subject: "a\r\nBcc: x@y.z\n\rTo: q\u{85}w").bytes, as: UTF8.self)
        #expect(!text.contains("\r\nBcc"))
        #expect(text.components(separatedBy: "\r\nTo: ").count == 2)
    }

    @Test(arguments: [
        (Int64(0), "Thu, 01 Jan 1970 00:00:00 +0000"), (1_795_334_400, "Sun, 22 Nov 2026 08:00:00 +0000"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 +0000"), (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
    ])
    func datesAreMails(_ seconds: Int64, _ text: String) {
        #expect(MailDate.text(Timestamp(seconds: seconds)) == text)
    }
}
