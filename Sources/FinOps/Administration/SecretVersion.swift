import SwiftProtobuf

/// What the vault calls a secret that a program uses.
package struct SecretVersion: Hashable, Sendable {
    /// Its name in the vault, such as `channel-slack`.
    package let id: String
    /// For which alone it opens, such as `notification-channel`.
    package let purpose: String
    /// From 1; each new value is one more.
    package let number: Int
    /// Unix seconds: one that was removed and stored anew begins again at 1.
    package let created: Int64

    package init(id: String, purpose: String, number: Int, created: Int64) {
        self.id = id
        self.purpose = purpose
        self.number = number
        self.created = created
    }

    /// That a program uses it.
    /// - Parameters:
    ///   - stage: the program.
    ///   - subject: what it is used for, such as `openai/acme` or `channel/slack`.
    package func used(by stage: String, for subject: String) -> FinOpsEvent {
        .secretUsed(
            .with {
                $0.secretID = id
                $0.purpose = purpose
                $0.version = UInt32(clamping: number)
                $0.stage = stage
                $0.subject = subject
            })
    }
}
