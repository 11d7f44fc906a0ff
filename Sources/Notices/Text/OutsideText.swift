/// What others wrote — names, keys, models, a provider's words — fit to stand inside a line of ours. Escaping is each
/// channel's own business and comes later; this takes what no line can hold, and bounds the rest.
enum OutsideText {
    /// A name of ours has at most 120 bytes; an id or model of a provider is not bounded by anybody.
    static let nameLimit = 120
    static let messageLimit = 500

    static func name(_ text: String) -> String { line(text, limit: nameLimit) }
    static func message(_ text: String) -> String { line(text, limit: messageLimit) }

    /// One line without control, direction and other invisible characters, of at most `limit` of them.
    private static func line(_ text: String, limit: Int) -> String {
        var out = String.UnicodeScalarView()
        // More than enough for what is shown, so that a megabyte costs no more than a line.
        for scalar in text.unicodeScalars.prefix(limit * 8) {
            if let kept = visible(scalar) { out.append(kept) }
        }
        let words = String(out).split(separator: " ").joined(separator: " ")
        return words.cut(to: limit) { $0.utf16.count }
    }

    private static func visible(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .spaceSeparator: " "
        // Joiners hold emoji and some scripts together; the rest turns the direction or hides.
        case .format: scalar.value == 0x200D || scalar.value == 0x200C ? scalar : nil
        case .surrogate, .privateUse, .unassigned: nil
        default: scalar
        }
    }
}

extension String {
    /// At most `limit` by what a character costs, cut between characters, with `…` in place of what is missing.
    func cut(to limit: Int, cost: (String) -> Int) -> String {
        if cost(self) <= limit { return self }
        var room = limit - cost("…")
        var end = startIndex
        while end < endIndex {
            let next = index(after: end)
            let price = cost(String(self[end..<next]))
            if price > room { break }
            room -= price
            end = next
        }
        return String(self[..<end]) + (room >= 0 ? "…" : "")
    }
}
