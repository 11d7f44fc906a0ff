import JSON

/// What is wrong with a price file, where, and what to do about it.
package struct PriceFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `models[3] (gpt-4o), prices[0]`.
    package let place: String
    /// nil when the place as a whole is wrong.
    package let field: String?
    /// Completes the sentence that the field's name begins: `is not a list of names`.
    package let reason: String
    /// What to write instead.
    package let remedy: String

    package var description: String {
        "\(place)" + (field.map { ", \"\($0)\"" } ?? "") + " \(reason); \(remedy)"
    }
}

/// A place in a price file, and what is read there.
struct PricePlace {
    let name: String

    func error(_ field: String?, _ reason: String, _ remedy: String) -> PriceFileError {
        PriceFileError(place: name, field: field, reason: reason, remedy: remedy)
    }

    func name(_ field: String, in value: JSONValue) throws(PriceFileError) -> String {
        guard let text = value[field]?.string, !text.isEmpty, text.utf8.count <= 200,
            text.unicodeScalars.allSatisfy({ !$0.isHidden })
        else { throw error(field, "is missing or not a name", "write up to 200 bytes in quotes") }
        return text
    }

    func optionalText(_ field: String, in value: JSONValue) throws(PriceFileError) -> String? {
        guard let member = value[field], !member.isNull else { return nil }
        guard let text = member.string else { throw error(field, "is not a text", "write it in quotes") }
        return text
    }

    /// What the model matches: its own name unless the file says otherwise.
    func match(in value: JSONValue, model: String) throws(PriceFileError) -> [String] {
        guard let member = value["match"], !member.isNull else { return [model] }
        let names = member.array?.compactMap(\.string).filter { !$0.isEmpty } ?? []
        guard !names.isEmpty, names.count == member.array?.count else {
            throw error("match", "is not a list of names", "give names or patterns in quotes")
        }
        return names
    }

    func period(_ value: JSONValue) throws(PriceFileError) -> PricePeriod {
        guard let members = value.members else { throw error(nil, "is not an object", "give names and prices") }
        var period = PricePeriod(from: nil, prices: [:], longContextAbove: 0, longContext: [:])
        for member in members {
            switch member.name {
            case "from":
                if member.value.isNull { continue }
                guard let day = member.value.string.flatMap({ Day($0) }) else {
                    throw error("from", "is \(member.value.text)", "write null or a day, such as \"2026-08-21\"")
                }
                period.from = day
            case "long_context":
                if member.value.isNull { continue }
                guard let above = member.value["above_input_tokens"]?.integer, above > 0 else {
                    throw error(
                        "long_context", "has no \"above_input_tokens\"", "give the number of tokens, such as 272000")
                }
                period.longContextAbove = above
                period.longContext = try table("long_context", in: value)
            case "note": continue
            default: period.prices[member.name] = try price(member.name, member.value)
            }
        }
        return period
    }

    func table(_ field: String, in value: JSONValue) throws(PriceFileError) -> [String: DecimalText] {
        guard let member = value[field], !member.isNull else { return [:] }
        guard let members = member.members else { throw error(field, "is not an object", "give names and prices") }
        var table: [String: DecimalText] = [:]
        for inner in members where inner.name != "above_input_tokens" && inner.name != "note" {
            table[inner.name] = try price("\(field).\(inner.name)", inner.value)
        }
        return table
    }

    private func price(_ field: String, _ value: JSONValue) throws(PriceFileError) -> DecimalText {
        guard let price = (value.string ?? value.numberText).flatMap(PriceText.price) else {
            throw error(
                field, "is \(value.text)",
                "write a decimal of at most \(PriceText.digitLimit) digits that is not negative, such as \"0.15\"")
        }
        return price
    }
}
