import ArgumentParser
import EventLog
import FinOps
import Runtime

/// Prices of a model as a person types them.
struct PriceSettingOptions: ParsableArguments {
    @Option(help: "The price list's provider: openai, anthropic, azure_openai …") var provider: String?
    @Option(help: "The model, as the provider names it.") var model: String?
    @Option(help: "USD per 1,000,000 tokens, such as 2.50; what is not given stays as it is.") var input: String?
    @Option(help: "The same for input that is read from a cache.") var cachedInput: String?
    @Option(help: "The same for input that is written to a cache.") var cacheWrite: String?
    @Option(help: "The same for output, reasoning included.") var output: String?
    @Option(
        name: .customLong("price"), help: "Any other price per token, as NAME=USD, such as batch_output=5. Repeatable.")
    var other: [String] = []
    @Option(help: "First UTC day, or beginning; today if left out, beginning for a model without a price.")
    var from: PriceStart?
    @Option(help: "Last UTC day; until the next dated price if left out.") var to: PriceDay?

    /// The prices by name.
    /// - Throws: `CommandFailure` with `usage`, naming the option.
    func prices() throws -> [String: String] {
        var prices: [String: String] = [:]
        func add(_ name: String, _ text: String?) throws {
            guard let text else { return }
            guard prices.updateValue(text, forKey: name) == nil else {
                throw CommandFailure(.usage, "\(name) is given twice: give each price once")
            }
        }
        try add("input", input)
        try add("cached_input", cachedInput)
        try add("cache_write", cacheWrite)
        try add("output", output)
        for pair in other {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw CommandFailure(.usage, "--price \"\(pair)\": write NAME=USD, such as batch_output=5")
            }
            try add(String(parts[0]), String(parts[1]))
        }
        return prices
    }

    /// Whether anything of it was given.
    var isEmpty: Bool {
        provider == nil && model == nil && [input, cachedInput, cacheWrite, output].allSatisfy { $0 == nil }
            && other.isEmpty && from == nil && to == nil
    }

    /// - Parameters:
    ///   - catalogue: a model that it does not price gets a price from the beginning.
    ///   - today: by UTC.
    /// - Throws: `CommandFailure` with `usage`, naming field and remedy.
    func setting(_ catalogue: PriceCatalogue, today: Day) throws -> PriceSetting {
        let (provider, model) = (try providerName(), try modelName())
        let prices = try prices()
        guard !prices.isEmpty else {
            throw CommandFailure(.usage, "no price is given: give --input, --output, or --price NAME=USD")
        }
        let isKnown = catalogue.match(provider: provider, model: model) != nil
        let from: Day? = from.map(\.day) ?? (isKnown ? today : nil)
        do {
            return try PriceSetting(provider: provider, model: model, prices: prices, from: from, through: to?.day)
        } catch { throw CommandFailure(.usage, "\(error)") }
    }

    func providerName() throws -> String { try name(provider, "--provider") }
    func modelName() throws -> String { try name(model, "--model") }

    private func name(_ text: String?, _ option: String) throws -> String {
        guard let text else {
            throw CommandFailure(.usage, "\(option) is missing: `finops price list` shows the names")
        }
        guard (1...200).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CommandFailure(.usage, "\(option): a name has 1 to 200 printable ASCII characters and no blanks")
        }
        return text
    }
}

/// A UTC day of prices.
struct PriceDay: ExpressibleByArgument {
    let day: Day

    init?(argument: String) {
        guard let day = Day(argument) else { return nil }
        self.day = day
    }
}

/// When prices begin: a UTC day, or `beginning`.
struct PriceStart: ExpressibleByArgument {
    /// nil: always.
    let day: Day?

    init?(argument: String) {
        if argument == "beginning" {
            day = nil
        } else if let day = Day(argument) {
            self.day = day
        } else {
            return nil
        }
    }
}
