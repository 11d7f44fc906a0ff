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
        let subject = message.subject(within: Self.headlineLimit, cost: Mrkdwn.length)
        let text = "\(subject)" as Mrkdwn
        body = ["text": .string(text.text), "blocks": .array(Self.blocks(parts))]
        fallbackBody = [
            "text": .string(parts.map { $0.lines.map(\.text).joined(separator: "\n") }.joined(separator: "\n\n"))
        ]
    }

    // MARK: Limits

    /// Slack's own, in characters.
    static let sectionLimit = 3_000
    /// Of all texts together. Slack says nothing of it and refuses somewhere between 9,600 and 11,300
    /// (slackapi/bolt-js issues 2509 and 2867).
    static let totalLimit = 9_000
    private static let headlineLimit = 500
    private static let textLimit = 400
    private static let codeLimit = 200
    private static let commandLimit = 450
    /// How many are told in full at most, and how much room they may take for another to follow.
    private static let mostInFull = 3
    private static let roomInFull = 4_000
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
        let notes = Part(lines: (message.notes + [message.colophon]).map { "\($0)" }, isSmall: true)
        let rest = message.passages.dropFirst(full.count)
        if rest.isEmpty { return full + [notes] }
        let title = "*\(message.words.othersTitle(message.others(after: full.count)))*" as Mrkdwn
        let room = totalLimit - notes.length - title.length - full.reduce(0) { $0 + $1.length }
        let share = min(lineLimit, room / rest.count - 1)
        return full + [Part(lines: [title] + rest.map { line($0, within: share) }), notes]
    }

    private static func lines(_ passage: Passage) -> [Mrkdwn] {
        var lines: [Mrkdwn] = ["*\(passage.headline.text(within: headlineLimit, cost: Mrkdwn.length))*"]
        lines += passage.sentences.map { "\(bounded($0))" }
        lines += passage.rows.map { "*\($0.caption)*  \(bounded($0.value))" }
        if let link = passage.link { lines.append(Self.link(link)) }
        for command in passage.commands {
            let code = "\(code: command.text)" as Mrkdwn
            // One that is cut would do something else.
            if code.length <= commandLimit { lines += ["\(command.title):", code] }
        }
        return lines
    }

    /// With bounds for what somebody else may have made long.
    private static func bounded(_ phrase: Phrase) -> Phrase {
        phrase.spans.reduce("") { phrase, span in
            switch span {
            case .text(let text): "\(phrase)\(text.cut(to: textLimit, cost: Mrkdwn.length))"
            case .code(let code): "\(phrase)\(code: code.cut(to: codeLimit, cost: Mrkdwn.length))"
            }
        }
    }

    /// One line; where there is little room, the link gives way first, then the label, the window and the names.
    private static func line(_ passage: Passage, within limit: Int) -> Mrkdwn {
        let headline = passage.headline
        var texts: [Mrkdwn] = []
        if let aside = passage.aside {
            if let link = passage.link { texts.append("\(headline.text) · \(aside) · \(Self.link(link))") }
            texts += ["\(headline.text) · \(aside)", "\(headline.short) · \(aside)"]
        }
        return texts.first { $0.length <= limit } ?? "\(headline.text(within: limit, cost: Mrkdwn.length))"
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
