import Digest
package import EventLog
import FoundationEssentials

/// A message as it goes over the wire (RFC 5322, 2045–2047): ASCII, lines of CRLF, plain text and HTML of one content.
package struct MailMessage: Sendable {
    package let from: MailAddress
    package let to: [MailAddress]
    package let wording: MailWording
    package let date: Timestamp
    /// With its angle brackets; the same for every attempt.
    package let messageID: String
    /// What it belongs to, with the angle brackets.
    package let references: String?

    package init(
        from: MailAddress, to: [MailAddress], wording: MailWording, date: Timestamp, messageID: String,
        references: String? = nil
    ) {
        self.from = from
        self.to = to
        self.wording = wording
        self.date = date
        self.messageID = messageID
        self.references = references
    }

    /// The same bytes for the same content.
    package var bytes: [UInt8] {
        // base64 knows no underscore, so the boundary occurs in no part.
        let boundary = "part_" + hexText(SHA256.hash(Array(messageID.utf8)).prefix(12))
        var lines = [
            "Date: \(MailDate.text(date))",
            "From: \(HeaderText.mailbox(from))",
            "To: \(to.map(HeaderText.mailbox).joined(separator: ",\r\n "))",
            "Subject: \(HeaderText.unstructured(wording.subject))",
            "Message-ID: \(messageID)",
        ]
        if let references { lines.append("References: \(references)") }
        lines += [
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: multipart/alternative; boundary=\"\(boundary)\"",
            "",
        ]
        for (type, content) in [("plain", wording.text), ("html", wording.html)] {
            lines += [
                "--\(boundary)",
                "Content-Type: text/\(type); charset=utf-8",
                "Content-Transfer-Encoding: base64",
                "",
                Self.base64(content),
            ]
        }
        lines += ["--\(boundary)--", ""]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    /// Text has CRLF inside base64, too (RFC 2045, 6.8).
    private static func base64(_ content: String) -> String {
        let lines = content.split(omittingEmptySubsequences: false) { $0.isNewline }.joined(separator: "\r\n")
        return Data(lines.utf8).base64EncodedString(options: [
            .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
        ])
    }
}

/// Dates as mail writes them: `Sun, 22 Nov 2026 08:00:00 +0000`.
enum MailDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    /// The first day of the calendar, 1970-01-01, was a Thursday.
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

    static func text(_ time: Timestamp) -> String {
        let day = Int((Double(time.seconds) / 86_400).rounded(.down))
        let second = Int(time.seconds) - day * 86_400
        let (year, month, dayOfMonth) = CivilDate.parts(of: day)
        let clock = [second / 3_600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
        let weekday = weekdays[(day % 7 + 7) % 7]
        return "\(weekday), \(twoDigits(dayOfMonth)) \(months[month - 1]) \(year) \(clock) +0000"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
