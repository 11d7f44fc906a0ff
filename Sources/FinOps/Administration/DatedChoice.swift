/// A value that was chosen from some instant on, again and again: which project a key pays for, which team a project
/// belongs to. Of the statements that have begun, the latest made counts.
package struct DatedChoice: Hashable, Sendable {
    /// One value and the Unix second from which it holds; nil for always.
    package struct Statement: Hashable, Sendable {
        /// Unix seconds; nil for "from the beginning".
        package let from: Int64?
        package let value: String
    }

    /// In the order in which they were made.
    package private(set) var statements: [Statement] = []

    package init() {}

    /// Whether nothing was ever stated.
    package var isEmpty: Bool { statements.isEmpty }

    /// Adds a statement: it overrides what was said before from `from` on.
    package mutating func state(_ value: String, from: Int64?) { statements.append(.init(from: from, value: value)) }

    /// - Parameter instant: Unix seconds.
    package func value(at instant: Int64) -> String? {
        statements.last { ($0.from ?? .min) <= instant }?.value
    }

    /// The value after all that was stated has begun.
    package var latest: String? { value(at: .max) }

    /// Whether stating `value` from `instant` on would change nothing at any time.
    package func isAlready(_ value: String, from instant: Int64?) -> Bool {
        let start = instant ?? .min
        let later = statements.compactMap(\.from).filter { $0 > start }
        return ([start] + later).allSatisfy { self.value(at: $0) == value }
    }
}
