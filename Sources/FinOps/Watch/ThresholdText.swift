/// A threshold as a person writes it on a command line: amounts are decimals, levels per cents, a scope `project/search`.
package struct ThresholdText: Sendable {
    package var scope: CostScope
    package var daily: String?
    package var weekly: String?
    /// Per cents with commas between them, in any order.
    package var levels: String
    /// IANA.
    package var zone: String
    package var policy: ThresholdPolicy

    /// The levels where nobody says any.
    package static let usualLevels = "80,100"

    package init(
        scope: CostScope, daily: String?, weekly: String?, levels: String, zone: String,
        policy: ThresholdPolicy = .alert
    ) {
        self.scope = scope
        self.daily = daily
        self.weekly = weekly
        self.levels = levels
        self.zone = zone
        self.policy = policy
    }

    /// - Throws: `Malformed` for what is no amount or no list of levels. Whether they make sense is the register's to say.
    package func statement(in currency: Currency, reason: String = "") throws(Malformed) -> WireThresholdSet {
        var statement = WireThresholdSet()
        statement.scope = scope.kind
        statement.name = scope.name
        if let daily { statement.daily = try Self.amount(daily, option: "--daily", currency) }
        if let weekly { statement.weekly = try Self.amount(weekly, option: "--weekly", currency) }
        statement.levels = try Self.levels(levels)
        statement.zone = zone
        statement.policy = policy.rawValue
        statement.reason = reason
        return statement
    }

    /// Why a text is no part of a threshold.
    package struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    private static let decimals = 9

    private static func amount(_ text: String, option: String, _ currency: Currency) throws(Malformed) -> WireMoney {
        let decimal: DecimalText
        do { decimal = try DecimalText(text) } catch {
            throw Malformed(description: "\(option): \"\(text)\" is no amount; write it like 10.00")
        }
        guard decimal.exponent >= -decimals || decimal.value == 0 else {
            throw Malformed(description: "\(option): \"\(text)\" has more than \(decimals) decimals")
        }
        guard let nanos = decimal.nanos else {
            throw Malformed(description: "\(option): \"\(text)\" is more than can be counted")
        }
        return Money(nanos: nanos, currency: currency).wire
    }

    private static func levels(_ text: String) throws(Malformed) -> [UInt32] {
        var levels: [UInt32] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let level = UInt32(part) else {
                throw Malformed(description: "--levels: \"\(part)\" is no per cent; write them like 80,100")
            }
            levels.append(level)
        }
        return levels.sorted()
    }
}

extension CostScope {
    /// `project/search`, `team/core` or `organisation`.
    package var text: String { name.isEmpty ? kind : "\(kind)/\(name)" }

    /// - Returns: nil for any other form.
    package init?(text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.count == 2 ? parts[1] : ""
        guard let scope = CostScope(kind: parts[0], name: name), (scope == .organisation) == (parts.count == 1) else {
            return nil
        }
        self = scope
    }
}
