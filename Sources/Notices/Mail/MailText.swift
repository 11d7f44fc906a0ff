/// A notice as a mail: what stands in its subject, and the same content in plain text and in HTML.
package struct MailText: Sendable {
    /// One line; how a header holds it is the sender's business.
    package let subject: String
    /// Complete in itself.
    package let text: String
    /// A document without scripts, pictures and anything from elsewhere, below 100 kB.
    package let html: String

    package init(_ notice: Notice, language: NoticeLanguage, settings: NoticeSettings) {
        let message = Message(notice, language: language, settings: settings)
        subject = message.subject(within: 300) { $0.utf16.count }
        text = MailPlainText.text(message)
        html = MailHTML.document(message, title: subject).text
    }

    /// How many are told in full at most.
    static let mostInFull = 5
}

/// The plain part.
enum MailPlainText {
    static func text(_ message: Message) -> String {
        let full = message.passages.prefix(MailText.mostInFull).map(passage)
        let rest = message.passages.dropFirst(full.count)
        let title = message.words.othersTitle(message.others(after: full.count))
        let others = rest.isEmpty ? [] : [([title] + rest.map { "- " + line($0) }).joined(separator: "\n")]
        let end = (message.notes + [message.colophon, message.words.whyThisMail]).joined(separator: "\n")
        return (full + others + ["-- \n" + end]).joined(separator: "\n\n") + "\n"
    }

    private static func passage(_ passage: Passage) -> String {
        var lines = [passage.headline.text, ""]
        if !passage.sentences.isEmpty { lines += passage.sentences.map(\.plain) + [""] }
        lines += passage.rows.map { "\($0.caption): \($0.value.plain)" }
        if let link = passage.link { lines += ["", "\(link.title): \(link.url)"] }
        for command in passage.commands { lines += ["", "\(command.title):", "    \(command.text)"] }
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.joined(separator: "\n").split(separator: "\n\n\n").joined(separator: "\n\n")
    }

    private static func line(_ passage: Passage) -> String {
        passage.headline.text + (passage.aside.map { " · " + $0 } ?? "") + (passage.link.map { "\n  " + $0.url } ?? "")
    }
}
