internal import CSeedPrices
import JSON

/// A file in the format of the price catalogue, checked. Unknown members are ignored: notes and sources are for people.
package struct PriceFile: Sendable {
    /// The day the file describes itself with, or `undated`.
    package let asOf: String
    /// In the order of the file.
    package let entries: [ModelPrice]
    /// General rules by provider: `batch_multiplier`, `fallback_provider`, notes.
    package let defaults: [String: [String: String]]

    /// The file that is compiled in; `finops init` puts it into the log.
    package static let seed: PriceFile = {
        let bytes = UnsafeBufferPointer(
            start: finops_seed_prices_start(), count: finops_seed_prices_length)
        do { return try PriceFile(bytes) } catch {
            preconditionFailure("the seed that is compiled in is a price file: \(error)")
        }
    }()

    /// - Throws: `PriceFileError`, which names the place, the field and the remedy.
    package init(_ bytes: some Collection<UInt8>) throws(PriceFileError) {
        let document: JSONValue
        do { document = try JSONValue.parse(bytes) } catch {
            throw PriceFileError(
                place: "the file", field: nil, reason: error.description, remedy: "save it as UTF-8 JSON")
        }
        try self.init(document)
    }

    private init(_ document: JSONValue) throws(PriceFileError) {
        let file = PricePlace(name: "the file")
        guard document.members != nil else {
            throw file.error(nil, "is not an object", "begin with { and give \"models\"")
        }
        if let currency = document["currency"], currency.string != "USD" {
            throw file.error("currency", "is \(currency.text)", "give prices in \"USD\"")
        }
        asOf = try file.optionalText("as_of", in: document) ?? "undated"
        guard asOf == "undated" || Day(asOf) != nil else {
            throw file.error("as_of", "is \"\(asOf)\"", "write a day, such as \"2026-10-19\"")
        }
        defaults = try Self.defaults(document["defaults"])
        guard let models = document["models"]?.array else {
            throw file.error("models", "is missing or not a list", "give the list of models")
        }
        var entries: [ModelPrice] = []
        entries.reserveCapacity(models.count)
        for (index, model) in models.enumerated() {
            entries.append(try Self.entry(model, index: index, asOf: asOf))
        }
        try Self.refuseAmbiguity(in: entries)
        self.entries = entries
    }

    private static func defaults(_ value: JSONValue?) throws(PriceFileError) -> [String: [String: String]] {
        guard let value, !value.isNull else { return [:] }
        guard let providers = value.members else {
            throw PricePlace(name: "the file").error("defaults", "is not an object", "give one object per provider")
        }
        var defaults: [String: [String: String]] = [:]
        for provider in providers {
            let place = PricePlace(name: "defaults of \(provider.name)")
            guard let members = provider.value.members else {
                throw place.error(nil, "is not an object", "give names and texts")
            }
            for member in members {
                guard let text = member.value.string ?? member.value.numberText else {
                    throw place.error(member.name, "is not a text", "write a decimal or a name in quotes")
                }
                if member.name.hasSuffix("_multiplier"), PriceText.price(text) == nil {
                    throw place.error(member.name, "is \"\(text)\"", "write a decimal, such as \"0.5\"")
                }
                defaults[provider.name, default: [:]][member.name] = text
            }
        }
        return defaults
    }

    private static func entry(_ value: JSONValue, index: Int, asOf: String) throws(PriceFileError) -> ModelPrice {
        let name = value["model"]?.string.map { " (\($0))" } ?? ""
        let place = PricePlace(name: "models[\(index)]\(name)")
        guard value.members != nil else { throw place.error(nil, "is not an object", "give an object per model") }
        var entry = ModelPrice(
            provider: try place.name("provider", in: value), model: try place.name("model", in: value),
            mode: try place.optionalText("mode", in: value) ?? "", match: [], periods: [], other: [:], version: "",
            source: try place.optionalText("source", in: value) ?? "")
        entry.match = try place.match(in: value, model: entry.model)
        entry.other = try place.table("other", in: value)
        if let prices = value["prices"], !prices.isNull {
            guard let periods = prices.array else {
                throw place.error("prices", "is not a list", "give a list of periods")
            }
            for (number, period) in periods.enumerated() {
                let inner = PricePlace(name: "\(place.name), prices[\(number)]")
                let read = try inner.period(period)
                // The last period that has begun counts, so one that begins before its neighbour would hide it.
                if let last = entry.periods.last, !read.begins(after: last) {
                    throw inner.error(
                        "from", "is \(read.from?.description ?? "null"), not after \(last.from?.description ?? "null")",
                        "list the periods in the order of their days, each day once, null first")
                }
                entry.periods.append(read)
            }
        }
        guard !(entry.periods.isEmpty && entry.other.isEmpty) else {
            throw place.error("prices", "is empty, and so is \"other\"", "give a price, or leave the model out")
        }
        return entry.versioned(asOf: asOf)
    }

    private static func refuseAmbiguity(in entries: [ModelPrice]) throws(PriceFileError) {
        var owners: [String: String] = [:]
        for (index, entry) in entries.enumerated() {
            for name in Set(entry.match + [entry.model]) {
                // A model's own name need not be among what it matches; then it only says which entry is meant.
                let role = entry.match.contains(name) ? "match" : "model"
                let owner = owners.updateValue(entry.model, forKey: "\(role) \(entry.provider) \(name)")
                guard owner == nil else {
                    throw PricePlace(name: "models[\(index)] (\(entry.model))").error(
                        role, "has \"\(name)\", as \(owner ?? "") has", "let each name belong to one model")
                }
            }
        }
    }
}
