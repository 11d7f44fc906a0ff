/// How long to wait before a process is started again: longer after each failure, never for ever, and from the beginning
/// again once it has been ready for a while. A value, so that it can be tested without waiting.
package struct RestartBackoff: Hashable, Sendable {
    /// Long enough that a program that ends at once does not fill a core.
    package static let first = Duration.milliseconds(100)
    /// What is mended is tried again within half a minute.
    package static let longest = Duration.seconds(30)
    /// Ready for this long, a process counts as well again.
    package static let wellAfter = Duration.seconds(1)

    private var next = first

    package init() {}

    /// A process has ended.
    /// - Parameter readyFor: how long it had been ready; nil if it never was.
    /// - Returns: how long to wait before the next start.
    package mutating func ended(readyFor: Duration?) -> Duration {
        if let readyFor, readyFor >= Self.wellAfter { next = Self.first }
        defer { next = min(next * 2, Self.longest) }
        return next
    }
}
