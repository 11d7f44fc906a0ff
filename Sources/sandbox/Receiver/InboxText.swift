import JSON

/// What arrived at one receiver, as a person reads it in a terminal.
struct InboxText {
    let receiver: Inbox.Receiver
    /// `messages` and `refused`, oldest first.
    let document: JSONValue

    var text: String {
        let messages = document["messages"]?.array ?? []
        let refused = document["refused"]?.array ?? []
        let turnedAway = refused.isEmpty ? "" : ", \(refused.count) refused"
        let title = "\(Self.names[receiver] ?? "") (\(messages.count)\(turnedAway))"
        let entries = messages.map(entry) + refused.map { "\(head($0)) refused: \(Self.word($0["answer"]))\n" }
        return ([title + "\n"] + entries).joined(separator: "\n") + "\n"
    }

    private static let names: [Inbox.Receiver: String] = [.slack: "Slack", .mail: "Mail", .sentry: "Sentry"]

    private func entry(_ entry: JSONValue) -> String {
        switch receiver {
        case .slack:
            let blocks = (entry["blocks"]?.array ?? []).flatMap(Self.lines)
            return head(entry) + "\n"
                + Self.indented((blocks.isEmpty ? [Self.word(entry["text"])] : blocks).map(Self.unescaped))
        case .mail:
            let to = (entry["to"]?.array ?? []).map { Self.word($0) }.joined(separator: ", ")
            return "\(head(entry)) \(Self.word(entry["from"])) → \(to)\n"
                + Self.indented([Self.word(entry["subject"]), "", Self.word(entry["text"])])
        case .sentry: return head(entry) + "\n" + Self.indented([entry["envelope"]?.prettyText ?? ""])
        }
    }

    /// When it arrived by the pipeline's clock.
    private func head(_ entry: JSONValue) -> String { Self.word(entry["clock"]) }

    /// All words of a block, its links beside their titles.
    private static func lines(of block: JSONValue) -> [String] {
        let texts = [block["text"]] + (block["fields"]?.array ?? [])
        let elements = (block["elements"]?.array ?? []).map { element in
            // The text of a button is an object, that of a context its own.
            let title = word(element["text"]?["text"] ?? element["text"])
            return element["url"]?.string.map { "\(title): \($0)" } ?? title
        }
        return texts.compactMap { $0.map { word($0["text"] ?? $0) } } + elements
    }

    private static func word(_ value: JSONValue?) -> String { value?.string ?? "" }

    /// Slack's escapes, as it shows them.
    private static func unescaped(_ text: String) -> String {
        text.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&")
    }

    private static func indented(_ texts: [String]) -> String {
        // Of a mail they end in CRLF.
        texts.joined(separator: "\n").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map { $0.isEmpty ? "\n" : "    \($0)\n" }.joined()
    }
}
