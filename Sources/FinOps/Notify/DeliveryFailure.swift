/// Why an attempt to deliver did not succeed, as far as known.
package struct DeliveryFailure: Sendable, Hashable {
    /// The code by which the other side says that it was asked too often.
    static let throttled = "throttled"

    /// throttled, unreachable, timed-out, refused, not-authorised, misconfigured, unavailable.
    package var code: String
    /// For people; free of secrets.
    package var message: String
    /// It may have been delivered all the same: nothing was heard after it was handed over.
    package var isUncertain: Bool
    /// Whether the same again may succeed.
    package var isRetriable: Bool
    /// What the other side asked to wait, in seconds.
    package var retryAfterSeconds: Int64?

    package init(
        code: String, message: String, isUncertain: Bool = false, isRetriable: Bool, retryAfterSeconds: Int64? = nil
    ) {
        self.code = code
        self.message = message
        self.isUncertain = isUncertain
        self.isRetriable = isRetriable
        self.retryAfterSeconds = retryAfterSeconds
    }
}
