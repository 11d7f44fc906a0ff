/// On whose bill the calls of an upstream are.
///
/// An estimate gives way to the provider's usage of the same account alone (decision 16): calls under another name than the one
/// that is collected would count twice as soon as their usage comes.
package enum UpstreamBilling {
    /// - Parameter address: what the upstream is called by.
    /// - Returns: the only account that is collected of this provider at this server; nil if there is none or a choice.
    package static func account(
        of provider: String, at address: String, among connections: [WireConnectionMade]
    ) -> String? {
        let there = collected(of: provider, at: address, connections)
        return there.count == 1 ? there.first : nil
    }

    /// - Returns: the accounts that are collected where this upstream's calls go, if the one it names is none of them.
    package static func otherAccounts(
        than upstream: WireUpstreamSet, among connections: [WireConnectionMade]
    ) -> [String] {
        let there = collected(of: upstream.provider, at: upstream.baseURL, connections)
        return there.contains(upstream.account) ? [] : there
    }

    private static func collected(
        of provider: String, at address: String, _ connections: [WireConnectionMade]
    ) -> [String] {
        connections.filter { $0.provider == provider && server(of: $0.baseURL) == server(of: address) }
            .map(\.account).sorted()
    }

    /// The address up to its path.
    private static func server(of address: String) -> [Substring] {
        Array(address.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3))
    }
}

extension WireUpstreamSet {
    /// What is wrong if there are `UpstreamBilling.otherAccounts`, without a full stop.
    package func doubleCounting(beside accounts: [String]) -> String {
        let names = accounts.map { "\"\($0)\"" }.joined(separator: ", ")
        return
            "upstream \"\(name)\" puts its calls on account \"\(account)\", and usage at its address is collected as "
            + "\(names): the same calls would count twice"
    }

    /// The command that puts its calls on an account's bill.
    package func accountCommand(_ account: String) -> String {
        "finops upstream set \(provider) --name \(name) --account \(account) --key-file FILE"
    }
}
