import FinOps
import JSON

/// Reads the rows of `GET /organization/costs`. Amounts come as numbers or as texts with thirty decimals, and are
/// read from the text either way.
struct OpenAICosts: Sendable {
    static let path = "/organization/costs"
    static let groupings = ["project_id", "line_item", "api_key_id"]

    let account: String

    /// Rows of equal identity are added up; each of their amounts is rounded once.
    func rows(in results: [JSONValue], bucket: Int64) throws(SourceFailure) -> Set<WireBillRow> {
        var rows: [WireBillRow: WireBillRow] = [:]
        for (index, value) in results.enumerated() {
            let place = AnswerPlace(path: Self.path, bucketStart: bucket, row: index)
            let reader = AnswerReader(value: value, place: place)
            let row = try row(reader, bucket: bucket)
            let identity = Self.identity(of: row)
            rows[identity] =
                try rows[identity].map { known throws(SourceFailure) in
                    try Self.sum(known, row, reader)
                } ?? row
        }
        return Set(rows.values)
    }

    private func row(_ reader: AnswerReader, bucket: Int64) throws(SourceFailure) -> WireBillRow {
        let (amount, text) = try amount(reader)
        var row = WireBillRow()
        row.provider = OpenAIUsageSource.provider
        row.account = account
        row.bucketStart = bucket
        row.bucketEnd = bucket + 86_400
        if let text = try reader.text("project_id") { row.projectID = text }
        if let text = try reader.text("line_item") { row.lineItem = text }
        if let text = try reader.text("api_key_id") { row.apiKeyID = text }
        row.amount = amount
        row.amountTexts = [text]
        if let quantity = reader.value["quantity"], let text = quantity.numberText ?? quantity.string {
            row.quantityText = text
        }
        if let text = try reader.text("quantity_unit") { row.quantityUnit = text }
        return row
    }

    private func amount(_ reader: AnswerReader) throws(SourceFailure) -> (WireMoney, String) {
        guard let amount = reader.value["amount"], let value = amount["value"] else {
            throw reader.malformed("amount.value", "is missing")
        }
        guard let text = value.numberText ?? value.string, text.utf8.count <= AnswerReader.textBytes else {
            throw reader.malformed("amount.value", "is neither a number nor a short text")
        }
        guard let currency = amount["currency"]?.string.flatMap({ Currency($0) }) else {
            throw reader.malformed("amount.currency", "is no currency's code")
        }
        let decimal: DecimalText
        do throws(DecimalText.Malformed) { decimal = try DecimalText(text) } catch {
            throw reader.malformed(
                "amount.value", error == .notANumber ? "is no decimal number" : "has too many digits")
        }
        guard let nanos = decimal.nanos else { throw reader.malformed("amount.value", "is too large") }
        var money = WireMoney()
        money.nanos = nanos
        money.currency = currency.code
        return (money, text)
    }

    private static func identity(of row: WireBillRow) -> WireBillRow {
        var identity = WireBillRow()
        if row.hasProjectID { identity.projectID = row.projectID }
        if row.hasLineItem { identity.lineItem = row.lineItem }
        if row.hasApiKeyID { identity.apiKeyID = row.apiKeyID }
        return identity
    }

    private static func sum(
        _ known: WireBillRow, _ row: WireBillRow, _ reader: AnswerReader
    ) throws(SourceFailure) -> WireBillRow {
        guard known.amount.currency == row.amount.currency else {
            throw reader.malformed("amount.currency", "differs from that of an equal row before it")
        }
        let (nanos, overflow) = known.amount.nanos.addingReportingOverflow(row.amount.nanos)
        guard !overflow else { throw reader.malformed("amount.value", "is too large") }
        var sum = known
        sum.amount.nanos = nanos
        sum.amountTexts.append(contentsOf: row.amountTexts)
        // Several quantities of one row have no common text; the amounts are what counts.
        sum.clearQuantityText()
        return sum
    }

    static func precedes(_ left: WireBillRow, _ right: WireBillRow) -> Bool {
        (left.bucketStart, left.projectID, left.lineItem, left.apiKeyID)
            < (right.bucketStart, right.projectID, right.lineItem, right.apiKeyID)
    }
}
