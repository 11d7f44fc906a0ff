/// The HTML part: tables and inline styles, which every mail program shows. The colours are light ones that stay readable
/// where a program turns them round by itself; programs that ask for the reader's preference get dark ones.
enum MailHTML {
    static func document(_ message: Message, title: String) -> HTML {
        let full = cards(message)
        let rest = message.passages.dropFirst(full.count)
        return """
            <!DOCTYPE html>
            <html lang="\(message.words.tag)">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="supported-color-schemes" content="light dark">
            <title>\(title)</title>
            \(style)
            </head>
            <body class="page" style="margin:0;padding:0;background:#f2f4f7;color:#1d2939;\(font)">
            <table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f2f4f7">
            <tr><td align="center" style="padding:16px 8px">
            <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:640px;table-layout:fixed">
            \(full)\(rest.isEmpty ? "" : others(Array(rest), message.words.othersTitle(message.others(after: full.count))))\(footer(message))</table>
            </td></tr>
            </table>
            </body>
            </html>

            """
    }

    private static let font: HTML =
        "font-family:-apple-system,'Segoe UI',Roboto,'Apple SD Gothic Neo','Malgun Gothic','Noto Sans KR','Noto Sans CJK KR',sans-serif;font-size:15px;line-height:1.6"
    private static let mono: HTML = "font-family:Menlo,Consolas,'D2Coding',monospace;font-size:13px"
    private static let wrap: HTML = "word-break:keep-all;word-wrap:break-word;overflow-wrap:anywhere"

    private static let style: HTML = """
        <style>
        :root{color-scheme:light dark;supported-color-schemes:light dark}
        @media (prefers-color-scheme:dark){
        .page{background:#101418 !important;color:#e4e7ec !important}
        .card{background:#1b2127 !important;border-top-color:#38414b !important;border-right-color:#38414b !important;border-bottom-color:#38414b !important}
        .text{color:#e4e7ec !important}
        .soft{color:#a3adba !important}
        .code{background:#2a323b !important;color:#e4e7ec !important}
        .link{color:#84adff !important}
        .critical{color:#ff8a7a !important}
        .warning{color:#fdb563 !important}
        .good{color:#6bd39a !important}
        .neutral{color:#84adff !important}
        }
        @media (max-width:480px){
        .caption,.value{display:block !important;width:auto !important;padding-right:0 !important}
        .caption{padding-bottom:0 !important}
        .value{padding-top:0 !important}
        }
        </style>
        """

    /// Its colour on white, and the class that names its colour on dark.
    private static func colour(_ tone: Passage.Tone) -> (name: HTML, value: HTML) {
        switch tone {
        case .critical: ("critical", "#b42318")
        case .warning: ("warning", "#93500a")
        case .good: ("good", "#05603a")
        case .neutral: ("neutral", "#175cd3")
        }
    }

    // MARK: One in full

    /// How many bytes they may take for another to follow, so that they and a hundred lines stay below 100 kB.
    private static let roomInFull = 30_000

    private static func cards(_ message: Message) -> [HTML] {
        var cards: [HTML] = []
        for passage in message.passages.prefix(MailText.mostInFull) {
            let card = card(passage)
            if !cards.isEmpty, cards.reduce(card.text.utf8.count, { $0 + $1.text.utf8.count }) > roomInFull { break }
            cards.append(card)
        }
        return cards
    }

    private static func card(_ passage: Passage) -> HTML {
        let (name, value) = colour(passage.tone)
        return """
            <tr><td class="card" style="background:#ffffff;border:1px solid #d0d5dd;border-left:4px solid \(value);padding:16px 16px 8px;\(wrap)">
            <h1 class="\(name)" style="margin:0 0 12px;font-size:17px;line-height:1.45;color:\(value)">\(tied(passage.headline.text))</h1>
            \(passage.sentences.map { sentence($0) })\(table(passage.rows))\(passage.link.map { button($0) } ?? "")\(passage.commands.map { command($0) })</td></tr>
            \(gap)
            """
    }

    private static let gap: HTML = "<tr><td style=\"height:12px;font-size:0;line-height:0\">&nbsp;</td></tr>\n"

    private static func sentence(_ phrase: Phrase) -> HTML {
        "<p class=\"text\" style=\"margin:0 0 10px;color:#1d2939\">\(html(phrase))</p>\n"
    }

    private static func table(_ rows: [Passage.Row]) -> HTML {
        if rows.isEmpty { return "" }
        let lines = rows.map { row -> HTML in
            """
            <tr><td class="caption soft" valign="top" style="width:88px;padding:3px 12px 3px 0;color:#475467">\(row.caption)</td>\
            <td class="value text" valign="top" style="padding:3px 0;color:#1d2939;\(wrap)">\(html(row.value))</td></tr>

            """
        }
        return """
            <table width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 10px;\(font)">
            \(lines)</table>

            """
    }

    private static func button(_ link: Passage.Link) -> HTML {
        """
        <table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:4px 0 12px"><tr>\
        <td style="background:#175cd3;border-radius:6px"><a href="\(link.url)" style="display:inline-block;padding:9px 18px;color:#ffffff;text-decoration:none;font-weight:bold">\(link.title)</a></td>\
        </tr></table>

        """
    }

    private static func command(_ command: Passage.Command) -> HTML {
        """
        <p class="soft" style="margin:4px 0 4px;color:#475467">\(command.title)</p>
        <p class="code" style="margin:0 0 12px;padding:8px 10px;background:#eaecf0;color:#1d2939;\(mono);\(wrap)">\(command.text)</p>

        """
    }

    /// A per cent stays with its number.
    private static func tied(_ text: String) -> String {
        text.split(separator: " %", omittingEmptySubsequences: false).joined(separator: "\u{A0}%")
    }

    private static func html(_ phrase: Phrase) -> HTML {
        phrase.spans.reduce("") { html, span in
            switch span {
            case .text(let text): "\(html)\(tied(text))"
            case .code(let code):
                "\(html)<code class=\"code\" style=\"padding:1px 4px;background:#eaecf0;color:#1d2939;\(mono)\">\(code)</code>"
            }
        }
    }

    // MARK: The others in a line each

    /// What may be long in a line.
    private static let headlineBytes = 250
    private static let addressBytes = 200

    private static func others(_ passages: [Passage], _ title: String) -> HTML {
        """
        <tr><td class="card" style="background:#ffffff;border:1px solid #d0d5dd;padding:16px 16px 8px;\(wrap)">
        <h2 class="text" style="margin:0 0 8px;font-size:15px;color:#1d2939">\(title)</h2>
        <table width="100%" cellpadding="0" cellspacing="0" border="0" style="\(font)">
        \(passages.map { line($0) })</table>
        </td></tr>
        \(gap)
        """
    }

    private static func line(_ passage: Passage) -> HTML {
        let headline = passage.headline.text(within: headlineBytes, cost: HTML.size)
        let aside = passage.aside.map { " · " + $0 } ?? ""
        let link = passage.link.map { link -> HTML in
            link.url.utf8.count <= addressBytes
                ? " · <a class=\"link\" href=\"\(link.url)\" style=\"color:#175cd3\">\(link.title)</a>" : ""
        }
        return
            "<tr><td class=\"text\" style=\"padding:4px 0;color:#1d2939\">\(tied(headline))\(aside)\(link ?? "")</td></tr>\n"
    }

    // MARK: The end

    private static func footer(_ message: Message) -> HTML {
        let lines = message.notes.map { "<p class=\"text\" style=\"margin:0 0 8px;color:#1d2939\">\($0)</p>\n" as HTML }
        let small = [message.colophon, message.words.whyThisMail].map { "\($0)<br>\n" as HTML }
        return """
            <tr><td style="padding:4px 4px 16px;\(wrap)">
            \(lines)<p class="soft" style="margin:0;font-size:12px;color:#475467">\(small)</p>
            </td></tr>

            """
    }
}
