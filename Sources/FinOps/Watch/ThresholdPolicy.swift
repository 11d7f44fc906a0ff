/// What becomes of further calls when a limit is spent.
package enum ThresholdPolicy: String, CaseIterable, Sendable {
    /// Nothing: it is told.
    case alert
    /// The gateway refuses them until the next window.
    case block
    /// The same, and `PolicyEnforcer` disables the keys of the scope until an administrator approves them again.
    case disableKeys = "disable-keys"

    /// Whether the gateway holds the limit before a call.
    package var isHeld: Bool { self != .alert }
}
