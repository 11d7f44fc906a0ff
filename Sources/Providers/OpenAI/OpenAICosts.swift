import FinOps
import JSON

/// Reads the rows of `GET /organization/costs`. Amounts come as numbers or as texts with thirty decimals, and stay
/// text here: the domain rounds them, once.
struct OpenAICosts: Sendable {
    static let path = "/organization/costs"
    static let groupings = ["project_id", "line_item", "api_key_id"]
    /// Longer than any decimal we can hold.
    private static let amountBytes = 1_000

    func rows(in results: [JSONValue], bucket: Int64) throws(SourceFailure) -> [BillLine] {
        var rows: [BillLine] = []
        rows.reserveCapacity(results.count)
        for (index, value) in results.enumerated() {
            let place = AnswerPlace(path: Self.path, bucketStart: bucket, row: index)
            if let row = try row(AnswerReader(value: value, place: place), bucket: bucket) { rows.append(row) }
        }
        return rows
    }

    /// - Returns: nil for nothing in no currency, which bills nothing.
    private func row(_ reader: AnswerReader, bucket: Int64) throws(SourceFailure) -> BillLine? {
        guard let amount = reader.value["amount"], let value = amount["value"] else {
            throw reader.malformed("amount.value", "is missing")
        }
        guard let text = value.numberText ?? value.string, text.utf8.count <= Self.amountBytes else {
            throw reader.malformed("amount.value", "is neither a number nor a short text")
        }
        let decimal: DecimalText
        do throws(DecimalText.Malformed) { decimal = try DecimalText(roundable: text) } catch {
            throw reader.malformed("amount.value", "is no decimal")
        }
        guard decimal.nanos != nil else { throw reader.malformed("amount.value", "is too large") }
        if decimal.value == 0, amount["currency"]?.isNull ?? true { return nil }
        guard let currency = amount["currency"]?.string, Currency(currency) != nil else {
            throw reader.malformed("amount.currency", "is no currency's code")
        }
        return BillLine(
            bucketStart: bucket, bucketEnd: bucket + 86_400, projectID: try reader.groupingValue("project_id"),
            lineItem: try reader.groupingValue("line_item"), apiKeyID: try reader.groupingValue("api_key_id"),
            amountText: text,
            currency: currency, quantityText: try quantity(reader), quantityUnit: try reader.text("quantity_unit"))
    }

    /// A number, whole or not, in either form.
    private func quantity(_ reader: AnswerReader) throws(SourceFailure) -> String? {
        guard let value = reader.value["quantity"], !value.isNull else { return nil }
        guard let text = value.numberText ?? value.string, text.utf8.count <= AnswerReader.textBytes else {
            throw reader.malformed("quantity", "is neither a number nor a short text")
        }
        return text
    }

    /// Whether there is money in it: only then does it matter how it is grouped.
    static func isCharged(_ row: BillLine) -> Bool {
        do { return try DecimalText(roundable: row.amountText).value != 0 } catch { return true }
    }

    static func isGrouped(_ row: BillLine) -> Bool {
        row.projectID != nil || row.lineItem != nil || row.apiKeyID != nil
    }
}
