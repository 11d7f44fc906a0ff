package import FinOps
package import Vault

extension SecretVersion {
    /// The value of a secret that the vault has now.
    package init(_ entry: SecretEntry) {
        self.init(id: entry.id, purpose: entry.purpose, number: entry.version, created: entry.created)
    }
}
