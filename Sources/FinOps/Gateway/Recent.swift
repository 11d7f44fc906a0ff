/// The last of something that must not count twice: the oldest are forgotten.
package struct Recent<Element: Hashable & Sendable>: Sendable {
    /// In a ring, once it is full.
    private var kept: [Element] = []
    private var next = 0
    private var known: Set<Element> = []
    private static var most: Int { 8_192 }

    package init() {}

    /// The oldest first: put in again in this order, they are forgotten in this order.
    var inOrder: [Element] { Array(kept[next...] + kept[..<next]) }

    package func contains(_ element: Element) -> Bool { known.contains(element) }

    /// - Returns: whether it was not known.
    @discardableResult
    package mutating func insert(_ element: Element) -> Bool {
        guard known.insert(element).inserted else { return false }
        if kept.count < Self.most {
            kept.append(element)
        } else {
            known.remove(kept[next])
            kept[next] = element
            next = (next + 1) % Self.most
        }
        return true
    }
}
