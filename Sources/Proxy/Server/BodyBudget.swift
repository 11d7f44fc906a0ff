import Synchronization

/// The memory that all bodies together may take, over all event loops.
final class BodyBudget: Sendable {
    private let limit: Int
    private let taken = Atomic<Int>(0)

    /// - Parameter limit: bytes.
    init(limit: Int) { self.limit = limit }

    /// - Returns: whether there was room; if not, nothing is taken.
    func take(_ bytes: Int) -> Bool {
        let now = taken.add(bytes, ordering: .relaxed).newValue
        if now <= limit { return true }
        taken.subtract(bytes, ordering: .relaxed)
        return false
    }

    func give(_ bytes: Int) { taken.subtract(bytes, ordering: .relaxed) }
}
