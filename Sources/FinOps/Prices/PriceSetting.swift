import Digest
import EventLog

/// Prices of one model for a span of days, as a person states them. What is not stated stays as it is.
package struct PriceSetting: Hashable, Sendable {
    package var provider: String
    package var model: String
    /// USD per 1,000,000 tokens by name: `input`, `batch_cached_input` …
    package var prices: [String: DecimalText]
    /// The first UTC day; nil for "always".
    package var from: Day?
    /// The last UTC day; nil until the next dated price.
    package var through: Day?

    /// - Throws: `PriceSettingError` for a name that is no price of a dated period, a text that is no price, or days out of
    ///   order.
    package init(provider: String, model: String, prices texts: [String: String], from: Day?, through: Day?)
        throws(PriceSettingError)
    {
        self.provider = provider
        self.model = model
        self.from = from
        self.through = through
        prices = [:]
        for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
            guard Self.names.contains(name) else { throw .unknownName(name) }
            guard let price = PriceText.price(text) else { throw .noPrice(name: name, text: text) }
            prices[name] = price
        }
        if let from, let through, through < from { throw .daysOutOfOrder(from: from, through: through) }
    }

    /// Every price that a period may state: the classes of tokens, and the same in each tier.
    package static let names = Set(
        TokenClass.allCases.flatMap { token in
            PriceTier.all.map { $0 == .standard ? token.rawValue : "\($0.rawValue)_\(token.rawValue)" }
        })

    /// The change that makes it so.
    /// - Returns: nil where the catalogue says the same already.
    /// - Parameter today: names the entry's version.
    package func change(in catalogue: PriceCatalogue, today: Day, reason: String) -> WirePriceChanged? {
        let known = catalogue.entry(provider: provider, model: model)
        // A name that another entry prices becomes an entry of its own, with what that one says for the rest.
        var base = known ?? catalogue.match(provider: provider, model: model)?.entry ?? .empty
        if known == nil {
            base.provider = provider
            base.model = model
            base.match = [model]
        }
        var entry = base.setting(prices, from: from, through: through)
        if let known, known.saysTheSame(as: entry) { return nil }
        entry.source = "finops price"
        return entry.versioned(asOf: today.description).event(reason: reason)
    }
}

/// What is wrong with prices as they were stated.
package enum PriceSettingError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownName(String)
    case noPrice(name: String, text: String)
    case daysOutOfOrder(from: Day, through: Day)

    package var description: String {
        switch self {
        case .unknownName(let name):
            "there is no price \"\(name)\" per token: write input, cached_input, cache_write, output …, or one of them in a "
                + "tier, such as batch_input; prices per call, hour or character come with `finops price import FILE`"
        case .noPrice(let name, let text):
            "\(name): \"\(text)\" is no price: write a decimal of at most \(PriceText.digitLimit) digits that is not "
                + "negative, such as 0.15 (USD per 1,000,000 tokens)"
        case .daysOutOfOrder(let from, let through):
            "--to: \(through) lies before \(from): give a last day that is not before the first"
        }
    }
}

extension PriceTier {
    static let all: [PriceTier] = [.standard, .batch, .flex, .priority, .fast]
}

extension ModelPrice {
    fileprivate static let empty = ModelPrice(
        provider: "", model: "", mode: "", match: [], periods: [], other: [:], version: "", source: "")

    /// The entry named by a day and by its content, so that two statements of one day have two versions.
    func versioned(asOf: String) -> ModelPrice {
        var content = self
        content.version = ""
        content.source = ""
        let event = FinOpsEvent.priceChanged(content.event(reason: ""))
        var entry = self
        let digest = hexText(SHA256.hash(event.newEvent(id: .none, occurred: .distantPast).payload)).prefix(8)
        entry.version = "\(asOf)+\(digest)"
        return entry
    }

    /// The entry with other prices from one day through another.
    /// - Parameter through: nil until the next dated period; with a day, periods that begin before it are changed too.
    func setting(_ prices: [String: DecimalText], from: Day?, through: Day?) -> ModelPrice {
        var entry = self
        if let through { entry.divide(at: through.advanced(by: 1)) }
        entry.divide(at: from)
        for index in entry.periods.indices {
            let begins = entry.periods[index].from
            let isWithin = begins.map { begins in (from.map { $0 <= begins } ?? true) && begins <= through ?? begins }
            guard begins == from || (through != nil && isWithin == true) else { continue }
            entry.periods[index].prices.merge(prices) { _, new in new }
        }
        return entry
    }

    /// Lets a period begin on a day, with what was in force there.
    private mutating func divide(at day: Day?) {
        guard !periods.contains(where: { $0.from == day }) else { return }
        guard let day else {
            return periods.insert(PricePeriod(from: nil, prices: [:], longContextAbove: 0, longContext: [:]), at: 0)
        }
        let place = periods.firstIndex { $0.from.map { $0 > day } ?? false } ?? periods.endIndex
        var period =
            place > 0
            ? periods[place - 1] : PricePeriod(from: day, prices: [:], longContextAbove: 0, longContext: [:])
        period.from = day
        periods.insert(period, at: place)
    }
}
