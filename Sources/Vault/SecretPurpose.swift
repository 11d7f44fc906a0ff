/// What secrets are for. A secret opens for its purpose only.
package enum SecretPurpose {
    /// A key with which a provider's account is read.
    package static let providerCredential = "provider-credential"
    /// Where and as whom alerts are sent.
    package static let notificationChannel = "notification-channel"
    /// What an external scheduler shows to start a run.
    package static let cron = "cron"
    /// A key with which the gateway calls an upstream.
    package static let upstreamKey = "upstream-key"
    /// What the hashes of the gateway's own keys are made with.
    package static let gatewayKeyHash = "gateway-key-hash"
    /// By which a person is known who does not act as a user of this machine.
    package static let personToken = "person-token"
    /// What a person may do.
    package static let personRole = "person-role"
    /// Whatever a person put there by hand.
    package static let general = "general"
    /// Where and as whom a key service is asked to wrap the others' keys.
    package static let keyService = "key-service"
    /// A name, or which user is which person.
    package static let person = "person"
}
