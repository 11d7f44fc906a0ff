/// A limit in a currency that is not the watched one: no cost is held against it, and no crossing of it is found.
package struct UnwatchedLimit: Hashable, Sendable {
    package let scope: CostScope
    /// In which it was stated.
    package let stated: String
    package let watched: Currency

    /// - Returns: nil for a limit in the watched currency, and for a statement of no scope that is known.
    package init?(_ statement: WireThresholdSet, watched: Currency) {
        let stated = (statement.hasDaily ? statement.daily : statement.weekly).currency
        guard stated != watched.code, let scope = CostScope(kind: statement.scope, name: statement.name) else {
            return nil
        }
        self.scope = scope
        self.stated = stated
        self.watched = watched
    }

    /// As a sentence that names scope and both currencies.
    package var problem: String {
        "the limit of \(scope.title) is in \(stated), and config.yaml has currency: \(watched), so it is not watched"
    }

    package var remedy: String {
        let option = scope == .organisation ? "--organisation" : "--\(scope.kind) \(scope.name)"
        return
            "set it again in \(watched) with finops threshold set \(option), or put currency: \(stated) back into config.yaml"
    }
}
