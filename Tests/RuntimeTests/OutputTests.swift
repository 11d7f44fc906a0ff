import JSON
import Runtime
import Testing

@Suite struct OutputTests {
    @Test(arguments: [("abc", 3), ("비용", 4), ("팀 A", 4), ("é", 1), ("e\u{301}", 1), ("👨‍👩‍👧", 2), ("", 0)])
    func textIsAsWideAsATerminalDrawsIt(_ text: String, _ width: Int) { #expect(text.displayWidth == width) }

    @Test func columnsLineUpWhateverTheScript() {
        let table = Table(
            [Table.Column("team"), Table.Column("cost", .right)],
            rows: [["플랫폼", "12.50"], ["ml", "1234.00"], [nil, "0.00"]])
        #expect(
            table.text() == """
                team       cost
                ──────  ───────
                플랫폼    12.50
                ml      1234.00
                –          0.00

                """)
    }

    @Test func dataCannotSteerTheTerminal() {
        let table = Table([Table.Column("name")], rows: [["a\u{1B}[31mred\u{202E}"]])
        #expect(!table.text().contains("\u{1B}"))
        #expect(!table.text().unicodeScalars.contains("\u{202E}"))
    }

    @Test func dataCannotSteerWhatShowsACSVFile() {
        let table = Table([Table.Column("name")], rows: [["a\u{1B}[31m\u{202E}\u{0}b\r\nc"], ["\t=1"], ["검색"]])
        let seen = "\u{FFFD}"
        #expect(table.csv == "name\r\na\(seen)[31m\(seen)\(seen)b\(seen)\(seen)c\r\n\(seen)=1\r\n검색\r\n")
    }

    @Test func csvQuotesWhatNeedsIt() {
        let table = Table(
            [Table.Column("name"), Table.Column("cost")], rows: [["a,b", 1], ["say \"hi\"", nil], ["two lines", 2]])
        #expect(table.csv == "name,cost\r\n\"a,b\",1\r\n\"say \"\"hi\"\"\",\r\ntwo lines,2\r\n")
    }

    @Test func aSpreadsheetCalculatesNoName() {
        let names: [JSONValue] = ["=cmd|' /C calc'!A0", "+1", "@x", "-x", "-", "-1.500000000", "12", "a=b"]
        let table = Table([Table.Column("name")], rows: names.map { [$0] } + [[.number("-3")]])
        #expect(
            table.csv.split(separator: "\r\n").dropFirst().map(String.init)
                == ["'=cmd|' /C calc'!A0", "'+1", "'@x", "'-x", "'-", "-1.500000000", "12", "a=b", "-3"])
    }

    @Test func machinesGetTheValuesThemselves() {
        let table = Table([Table.Column("team"), Table.Column("cost")], rows: [[nil, .number("1.5")]])
        #expect(table.objects.map(\.text) == ["{\"team\":null,\"cost\":1.5}"])
    }

    @Test func coloursAreForTerminalsThatWantThem() {
        #expect(Output.isColoured(terminal: true, environment: [:]))
        #expect(!Output.isColoured(terminal: true, environment: ["NO_COLOR": "1"]))
        #expect(!Output.isColoured(terminal: false, environment: [:]))
    }
}
