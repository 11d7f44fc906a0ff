import JSON

/// What arrived, as a page that a person opens in a browser, newest first.
struct InboxPage {
    private let slack: [JSONValue]
    private let mail: [JSONValue]
    private let sentry: [JSONValue]

    /// Each in the order of arrival.
    init(slack: [JSONValue], mail: [JSONValue], sentry: [JSONValue]) {
        self.slack = slack.reversed()
        self.mail = mail.reversed()
        self.sentry = sentry.reversed()
    }

    init(of inbox: Inbox) async {
        await self.init(
            slack: inbox.messages(.slack), mail: inbox.messages(.mail), sentry: inbox.messages(.sentry))
    }

    var html: String {
        """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox inbox</title>
        <meta name="viewport" content="width=device-width"><style>\(Self.style)</style></head><body>
        <h1>Sandbox inbox</h1><p>What arrived here, newest first; it went no further.</p>
        <h2>Slack (\(slack.count))</h2>\(slack.map(Self.slack).joined())
        <h2>Mail (\(mail.count))</h2>\(mail.map(Self.mail).joined())
        <h2>Sentry (\(sentry.count))</h2>\(sentry.map(Self.sentry).joined())
        </body></html>

        """
    }

    private static let style = """
        body{font:15px/1.45 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
        article{border:1px solid #8886;border-radius:8px;padding:.6rem 1rem;margin:.8rem 0}
        small{color:#777}pre{white-space:pre-wrap;overflow-wrap:anywhere}
        iframe{width:100%;height:32rem;border:1px solid #8886;background:#fff}.f{display:grid;grid-template-columns:1fr 1fr;gap:.2rem 1rem}
        .b{border:1px solid #888;border-radius:4px;padding:.1rem .6rem;margin-right:.4rem}
        """

    private static func slack(_ entry: JSONValue) -> String {
        let blocks = (entry["blocks"]?.array ?? []).map(block).joined()
        let body = blocks.isEmpty ? "<p>\(words(entry["text"]))</p>" : blocks
        return "<article><small>\(words(entry["clock"])) · \(words(entry["webhook"]))</small>\(body)</article>"
    }

    private static func block(_ block: JSONValue) -> String {
        let elements = block["elements"]?.array ?? []
        switch block["type"]?.string {
        case "header": return "<h3>\(words(block["text"]?["text"]))</h3>"
        case "section":
            let text = block["text"].map { "<p>\(marked($0["text"]))</p>" } ?? ""
            let fields = (block["fields"]?.array ?? []).map { "<div>\(marked($0["text"]))</div>" }.joined()
            return text + (fields.isEmpty ? "" : "<div class=\"f\">\(fields)</div>")
        case "context": return elements.map { "<small>\(marked($0["text"]))</small><br>" }.joined()
        case "actions": return "<p>" + elements.map(button).joined() + "</p>"
        case "divider": return "<hr>"
        case "markdown": return "<pre>\(words(block["text"]))</pre>"
        default: return "<pre>\(escaped(block.prettyText))</pre>"
        }
    }

    private static func button(_ element: JSONValue) -> String {
        let title = words(element["text"]?["text"])
        guard let url = element["url"]?.string, url.hasPrefix("http") else {
            return "<span class=\"b\">\(title)</span>"
        }
        return "<a class=\"b\" href=\"\(escaped(url))\">\(title)</a>"
    }

    private static func mail(_ entry: JSONValue) -> String {
        let to = (entry["to"]?.array ?? []).map { words($0) }.joined(separator: ", ")
        let html = entry["html"]?.string.map { "<iframe sandbox srcdoc=\"\(escaped($0))\"></iframe>" } ?? ""
        return """
            <article><small>\(words(entry["clock"])) · \(words(entry["from"])) → \(to) · \(words(entry["message_id"]))</small>
            <h3>\(words(entry["subject"]))</h3>\(html)
            <details><summary>Plain text</summary><pre>\(words(entry["text"]))</pre></details></article>
            """
    }

    private static func sentry(_ entry: JSONValue) -> String {
        "<article><small>\(words(entry["clock"]))</small><pre>\(escaped(entry["envelope"]?.prettyText ?? ""))</pre></article>"
    }

    private static func words(_ value: JSONValue?) -> String { escaped(value?.string ?? "") }

    /// Slack's own escapes are HTML's; its bold and its line ends are shown.
    private static func marked(_ value: JSONValue?) -> String {
        let plain = (value?.string ?? "").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
            .replacing("&amp;", with: "&")
        return escaped(plain).split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in
                line.replacing(/\*([^*]+)\*/) { "<b>\($0.output.1)</b>" }.replacing(/`([^`]+)`/) {
                    "<code>\($0.output.1)</code>"
                }
            }
            .joined(separator: "<br>")
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
