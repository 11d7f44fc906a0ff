import EventLog
import SwiftProtobuf

/// Spreads the rows of a UTC day's bill over hours, keys and models by what was metered. The parts of a row always sum to
/// its amount.
package struct BillSpreading: Sendable {
    private let day: Day
    private let projects: [String?: [MeteredCell]]

    /// - Parameter cells: what was metered on that UTC day.
    package init(day: Day, cells: [MeteredCell]) {
        self.day = day
        projects = Dictionary(grouping: cells, by: \.projectID)
    }

    /// What a part is for; the order in which equal remainders are given away.
    private struct Slot: Hashable, Comparable {
        let hour: Int64
        let key: String?
        let model: String?

        static func < (left: Slot, right: Slot) -> Bool {
            if left.hour != right.hour { return left.hour < right.hour }
            guard left.key == right.key else {
                guard let key = left.key else { return false }
                return right.key.map { key < $0 } ?? true
            }
            guard let model = left.model, left.model != right.model else { return false }
            return right.model.map { model < $0 } ?? true
        }
    }

    /// Weights of slots, and the name of the rule they follow.
    private struct Shares {
        var weights: [Slot: Int128]
        var rule: String
    }

    /// The row's amount in parts that sum to it, with the name of the rule that made them.
    package func allocate(_ row: WireBillRow) -> WireBillAllocated {
        let shares = shares(of: row)
        let slots = shares.weights.keys.sorted()
        var parts: [WireBillAllocated.Part] = []
        if row.amount.nanos != 0 {
            let amounts = LargestRemainder.split(row.amount.nanos, by: slots.map { shares.weights[$0] ?? 0 })
            parts = zip(slots, amounts).filter { $0.1 != 0 }.map { slot, nanos in
                .with {
                    $0.hour = slot.hour
                    if let key = slot.key { $0.apiKeyID = key }
                    if let model = slot.model { $0.model = model }
                    $0.nanos = nanos
                }
            }
        }
        return .with {
            $0.provider = row.provider
            $0.account = row.account
            $0.day = day.description
            if row.hasProjectID { $0.projectID = row.projectID }
            if row.hasLineItem { $0.lineItem = row.lineItem }
            if row.hasApiKeyID { $0.apiKeyID = row.apiKeyID }
            $0.amount = row.amount
            $0.rule = shares.rule
            $0.parts = parts
        }
    }

    // MARK: Rules

    private func shares(of row: WireBillRow) -> Shares {
        let cells = projects[row.hasProjectID ? row.projectID : nil] ?? []
        let item = row.hasLineItem ? row.lineItem : ""
        if row.hasApiKeyID { return keyShares(row.apiKeyID, item: item, cells: cells) }
        if row.hasProjectID, let model = Self.model(named: item, among: cells) {
            let (weights, basis) = Self.weights(of: cells.filter { $0.model == model }) {
                Slot(hour: $0.hour, key: $0.apiKeyID, model: model)
            }
            return Shares(weights: weights, rule: "model-\(basis)")
        }
        guard row.hasProjectID else {
            return Shares(weights: hours(of: cells).weights, rule: "unallocated")
        }
        return hours(of: cells)
    }

    /// A row that names its key goes to that key: over the hours of the model it names, else of all the key's usage, else of
    /// the project's.
    private func keyShares(_ key: String, item: String, cells: [MeteredCell]) -> Shares {
        let own = cells.filter { $0.apiKeyID == key }
        let model = Self.model(named: item, among: own) ?? Self.model(named: item, among: cells)
        let ofModel = own.filter { model != nil && $0.model == model }
        let followed = [ofModel, own, cells].first { !$0.isEmpty } ?? []
        return Shares(weights: hours(of: followed, key: key, model: model).weights, rule: "key")
    }

    /// Hours by usage, or all 24 alike where there is none.
    private func hours(of cells: [MeteredCell], key: String? = nil, model: String? = nil) -> Shares {
        guard !cells.isEmpty else {
            let start = day.utcStart.seconds
            let slots = (0..<24).map { Slot(hour: start + $0 * 3_600, key: key, model: model) }
            return Shares(weights: Dictionary(uniqueKeysWithValues: slots.map { ($0, 1) }), rule: "even")
        }
        let (weights, basis) = Self.weights(of: cells) { Slot(hour: $0.hour, key: key, model: model) }
        return Shares(weights: weights, rule: "project-\(basis)")
    }

    /// By metered cost; by tokens where a cell has no price, since an unpriced cell is not a free one. What has neither is
    /// weighed by requests, else cell by cell.
    private static func weights(of cells: [MeteredCell], slot: (MeteredCell) -> Slot) -> ([Slot: Int128], String) {
        func sums(_ weight: (MeteredCell) -> Int64) -> [Slot: Int128]? {
            var sums: [Slot: Int128] = [:]
            for cell in cells { sums[slot(cell), default: 0] += Int128(max(0, weight(cell))) }
            return sums.values.contains { $0 > 0 } ? sums : nil
        }
        if cells.allSatisfy({ $0.costNanos != nil }), let sums = sums({ $0.costNanos ?? 0 }) { return (sums, "cost") }
        return (sums(\.tokens) ?? sums(\.requests) ?? sums { _ in 1 } ?? [:], "tokens")
    }

    /// The longest metered model name with which a line item begins: `[priority | ]<model>[, …]`.
    private static func model(named item: String, among cells: [MeteredCell]) -> String? {
        let bar = item.firstRange(of: " | ").map { String(item[$0.upperBound...]) }
        let candidates = [item, bar].compactMap(\.self)
        return Set(cells.compactMap(\.model)).filter { model in
            !model.isEmpty && candidates.contains { $0 == model || $0.hasPrefix(model + ",") }
        }.max { ($0.utf8.count, $1) < ($1.utf8.count, $0) }
    }
}
