extension JSONValue {
    /// One line of compact JSON, members in their order. What is hidden is escaped, so that it steers no
    /// terminal; everything else is UTF-8 as it is.
    package var text: String {
        var out = ""
        write(to: &out, indent: nil)
        return out
    }

    /// The same over several lines, two spaces a level, for people.
    package var prettyText: String {
        var out = ""
        write(to: &out, indent: 0)
        return out
    }

    private func write(to out: inout String, indent: Int?) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .number(let text): out += text
        case .string(let text): Self.write(text, to: &out)
        case .array(let values):
            Self.writeList(values, brackets: ("[", "]"), to: &out, indent: indent) { $0.write(to: &$1, indent: $2) }
        case .object(let members):
            Self.writeList(members, brackets: ("{", "}"), to: &out, indent: indent) {
                Self.write($0.name, to: &$1)
                $1 += $2 == nil ? ":" : ": "
                $0.value.write(to: &$1, indent: $2)
            }
        }
    }

    private static func writeList<Item>(
        _ items: [Item], brackets: (String, String), to out: inout String, indent: Int?,
        item: (Item, inout String, Int?) -> Void
    ) {
        out += brackets.0
        let inner = indent.map { $0 + 1 }
        for (index, element) in items.enumerated() {
            if index > 0 { out += "," }
            if let inner { out += "\n" + String(repeating: "  ", count: inner) }
            item(element, &out, inner)
        }
        if let indent, !items.isEmpty { out += "\n" + String(repeating: "  ", count: indent) }
        out += brackets.1
    }

    private static func write(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.isHidden:
                for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
                    let hex = String(unit, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                }
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
