package import JSON

/// A notice as a Slack message in Block Kit. However many facts there are and whatever their names, it stays within Slack's
/// limits, and tells each of them: the most urgent in full, the others in a line.
package struct SlackText: Sendable {
    /// What a webhook is sent.
    package let body: JSONValue
    /// The same without blocks, for when Slack refuses them.
    package let fallbackBody: JSONValue

    package init(_ notice: Notice, language: NoticeLanguage, settings: NoticeSettings) {
        let message = Message(notice, language: language, settings: settings)
        let parts = Self.parts(message)
        let subject = message.subject(within: Self.subjectLimit, cost: Mrkdwn.length)
        let text = "\(subject)" as Mrkdwn
        body = ["text": .string(text.text), "blocks": .array(Self.blocks(parts))]
        fallbackBody = [
            "text": .string(parts.map { $0.lines.map(\.text).joined(separator: "\n") }.joined(separator: "\n\n"))
        ]
    }

    // MARK: Limits

    /// Slack's own, in characters and blocks.
    static let sectionLimit = 3_000
    static let blocksLimit = 50
    /// Of all texts together. Slack says nothing of it and refuses somewhere between 9,600 and 11,300
    /// (slackapi/bolt-js issues 2509 and 2867).
    static let totalLimit = 9_000
    private static let subjectLimit = 600
    /// How many are told in full at most, and how much room they may take for another to follow.
    private static let mostInFull = 3
    private static let roomInFull = 4_000
    private static let noteRoom = 900
    private static let lineLimit = 320

    // MARK: Composition

    /// What stands in blocks of its own, between dividers.
    private struct Part {
        var lines: [Mrkdwn]
        var isSmall = false

        var length: Int { lines.reduce(0) { $0 + $1.length + 1 } }
    }

    private static func parts(_ message: Message) -> [Part] {
        var full: [Part] = []
        for passage in message.passages.prefix(mostInFull) {
            let part = Part(lines: lines(passage))
            if !full.isEmpty, full.reduce(part.length, { $0 + $1.length }) > roomInFull { break }
            full.append(part)
        }
        let rest = message.passages.dropFirst(full.count)
        var parts = full
        if !rest.isEmpty {
            let room = totalLimit - noteRoom - full.reduce(0) { $0 + $1.length }
            let share = min(lineLimit, room / rest.count - 1)
            parts.append(
                Part(lines: ["*\(message.words.othersTitle(rest.count))*"] + rest.map { line($0, within: share) }))
        }
        let notes = (message.notes + [message.colophon]).map { "\($0)" as Mrkdwn }
        return parts + [Part(lines: notes, isSmall: true)]
    }

    private static func lines(_ passage: Passage) -> [Mrkdwn] {
        var lines: [Mrkdwn] = ["*\(passage.headline.text)*"]
        lines += passage.sentences.map { "\($0)" }
        lines += passage.rows.map { "*\($0.caption)*  \($0.value)" }
        if let link = passage.link { lines.append(Self.link(link)) }
        lines += passage.commands.flatMap { ["\($0.title):", "\(code: $0.text)"] as [Mrkdwn] }
        return lines
    }

    /// One line, with its link where there is room for it.
    private static func line(_ passage: Passage, within limit: Int) -> Mrkdwn {
        let aside = passage.aside.map { " · " + $0 } ?? ""
        let text: Mrkdwn =
            "\(passage.headline.text(within: limit - Mrkdwn.length(escaping: aside), cost: Mrkdwn.length))\(aside)"
        guard let link = passage.link.map(Self.link), text.length + 3 + link.length <= limit else { return text }
        return "\(text) · \(link)"
    }

    /// An address holds nothing that would end it (`ConsolePage`).
    private static func link(_ link: Passage.Link) -> Mrkdwn {
        let address = Mrkdwn(
            stringLiteral: link.url.split(separator: "&", omittingEmptySubsequences: false).joined(separator: "&amp;"))
        return "<\(address)|\(link.title)>"
    }

    // MARK: Blocks

    private static func blocks(_ parts: [Part]) -> [JSONValue] {
        var blocks: [JSONValue] = []
        for part in parts {
            if !blocks.isEmpty, !part.isSmall { blocks.append(["type": "divider"]) }
            blocks += part.isSmall ? [context(part)] : sections(part)
        }
        return blocks
    }

    /// As few as the lines fit into.
    private static func sections(_ part: Part) -> [JSONValue] {
        var texts: [String] = []
        for line in part.lines {
            if let last = texts.last, last.utf16.count + 1 + line.length <= sectionLimit {
                texts[texts.count - 1] = last + "\n" + line.text
            } else {
                texts.append(line.text)
            }
        }
        return texts.map { ["type": "section", "text": text($0)] }
    }

    private static func context(_ part: Part) -> JSONValue {
        ["type": "context", "elements": .array(part.lines.map { text($0.text) })]
    }

    /// Verbatim: Slack looks for no addresses and names of its own in it.
    private static func text(_ mrkdwn: String) -> JSONValue {
        ["type": "mrkdwn", "text": .string(mrkdwn), "verbatim": true]
    }
}
