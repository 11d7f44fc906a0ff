package import JSON

/// How rows are printed.
package enum OutputFormat: String, CaseIterable, Sendable {
    /// `json` is one array, `jsonl` one object a line.
    case table, json, jsonl, csv
}

/// Rows with named columns, printed for people or for machines.
package struct Table: Sendable {
    /// Which side of its column a cell keeps to.
    package enum Alignment: Sendable { case left, right }

    /// How a field is called and shown.
    package struct Column: Sendable {
        /// The field's name in JSON and CSV; it is only ever added, never renamed.
        package var name: String
        /// The heading people see; the field's name unless given.
        package var title: String
        package var alignment: Alignment
        /// How a value is shown to people; machines get it as it is.
        package var display: @Sendable (JSONValue) -> String

        package init(
            _ name: String, title: String? = nil, _ alignment: Alignment = .left,
            display: @escaping @Sendable (JSONValue) -> String = Table.plainText
        ) {
            self.name = name
            self.title = title ?? name
            self.alignment = alignment
            self.display = display
        }
    }

    package var columns: [Column]
    /// Each has one value for each column.
    package var rows: [[JSONValue]] = []
    /// A last row under a rule, for people only.
    package var footer: [JSONValue]?

    package init(_ columns: [Column], rows: [[JSONValue]] = []) {
        self.columns = columns
        self.rows = rows
    }

    /// A value as people read it; nothing is a dash.
    package static let plainText: @Sendable (JSONValue) -> String = { value in
        switch value {
        case .null: "–"
        case .bool(let flag): flag ? "yes" : "no"
        case .number(let text), .string(let text): text
        case .array, .object: value.text
        }
    }

    /// Every row as an object, in the order of the columns.
    package var objects: [JSONValue] {
        rows.map { row in .object(zip(columns, row).map { JSONValue.Member($0.name, $1) }) }
    }

    /// - Throws: `BrokenPipe` or `SystemError`, if stdout cannot take it.
    package func write(_ format: OutputFormat) throws {
        switch format {
        case .table: try Output.write(text(bold: Output.isColoured(terminal: Output.isTerminal)))
        case .json: try Output.line(JSONValue.array(objects).prettyText)
        case .jsonl: try Output.write(objects.map { $0.text + "\n" }.joined())
        case .csv: try Output.write(csv)
        }
    }

    /// The table for a terminal: columns are as wide as their widest cell.
    package func text(bold: Bool = false) -> String {
        let cells = (rows + (footer.map { [$0] } ?? [])).map { row in
            zip(columns, row).map { column, value in column.display(value).withoutControls }
        }
        let titles = columns.map(\.title)
        let widths = columns.indices.map { index in ([titles] + cells).map { $0[index].displayWidth }.max() ?? 0 }
        let header = line(titles, widths)
        let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
        var lines = [bold ? "\u{1B}[1m\(header)\u{1B}[0m" : header, rule]
        lines += cells.prefix(rows.count).map { line($0, widths) }
        if footer != nil { lines += [rule] + cells.suffix(1).map { line($0, widths) } }
        return lines.map { $0 + "\n" }.joined()
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var text = ""
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: max(0, widths[index] - cell.displayWidth))
            let isLast = index == cells.count - 1
            switch columns[index].alignment {
            case .right: text += padding + cell
            case .left: text += isLast ? cell : cell + padding
            }
            if !isLast { text += "  " }
        }
        return text
    }

    /// RFC 4180, with a header; nothing is an empty field. Control characters are shown as in a table: whoever needs a
    /// name to the byte takes JSON.
    package var csv: String {
        var lines = [columns.map { Self.csvField($0.name) }.joined(separator: ",")]
        lines += rows.map { row in
            row.map { $0.isNull ? "" : Self.csvField(Self.csvText($0)) }.joined(separator: ",")
        }
        return lines.map { $0 + "\r\n" }.joined()
    }

    /// A text that a spreadsheet would calculate gets an apostrophe in front, which the spreadsheet hides: names come from
    /// outside. Amounts are texts as well, and stay as they are.
    private static func csvText(_ value: JSONValue) -> String {
        guard let text = value.string?.withoutControls else { return value.text.withoutControls }
        guard let first = text.unicodeScalars.first, "=+-@".unicodeScalars.contains(first) else { return text }
        let isAmount = text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
        return first == "-" && isAmount && text.utf8.count > 1 ? text : "'" + text
    }

    private static func csvField(_ text: String) -> String {
        guard text.utf8.contains(where: { [0x22, 0x2C].contains($0) }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
