/// When a failed request is tried again. A value: it decides, somebody else waits.
package struct RetryPolicy: Hashable, Sendable {
    /// Pauses before the second, third … attempt, in seconds.
    package var pauses: [Double] = [1, 2, 4]
    /// Each pause varies by this share in both directions, so that many clients do not come back together.
    package var jitter = 0.2
    /// A server's own wish is obeyed up to here, in seconds, where it is longer than the pause.
    package var longestRetryAfter: Double = 60

    package init() {}

    /// What to do after an attempt.
    package enum Decision: Hashable, Sendable {
        case retry(afterSeconds: Double)
        /// The first attempt failed, and one after each pause.
        case giveUp
        /// The server asks for a longer pause than a run waits: come back later.
        case comeBackLater(afterSeconds: Double)
    }

    /// - Parameters:
    ///   - failures: how many attempts have failed, from 1.
    ///   - retryAfter: what the server asked for, in seconds.
    ///   - random: evenly in 0 ..< 1.
    package func decision(failures: Int, retryAfter: Double?, random: Double) -> Decision {
        if let retryAfter, retryAfter > longestRetryAfter { return .comeBackLater(afterSeconds: retryAfter) }
        guard failures <= pauses.count else { return .giveUp }
        // A wish of nothing, or of a moment that has passed, is no leave to ask without a pause.
        let pause = pauses[failures - 1] * (1 + jitter * (2 * random - 1))
        return .retry(afterSeconds: max(pause, retryAfter ?? 0))
    }
}
