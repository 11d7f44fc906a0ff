import FinOps
import SwiftProtobuf
import Testing

@Suite struct UpstreamBillingTests {
    private static func connected(
        _ account: String, at address: String = "https://api.openai.com/v1", provider: String = "openai"
    ) -> WireConnectionMade {
        .with {
            $0.provider = provider
            $0.account = account
            $0.baseURL = address
        }
    }

    private static func upstream(_ account: String, at address: String) -> WireUpstreamSet {
        .with {
            $0.name = "main"
            $0.provider = "openai"
            $0.account = account
            $0.baseURL = address
        }
    }

    @Test(arguments: [
        ("https://api.openai.com/v1", "acme"), ("https://api.openai.com/v1/other", "acme"),
        ("https://eu.api.openai.com/v1", nil), ("http://api.openai.com/v1", nil),
        ("https://api.openai.com:8443/v1", nil),
    ])
    func theOnlyAccountAtTheAddressIsMeant(address: String, account: String?) {
        let connections = [Self.connected("acme"), Self.connected("claude", provider: "anthropic")]
        #expect(UpstreamBilling.account(of: "openai", at: address, among: connections) == account)
    }

    @Test func amongSeveralNoneIsMeant() {
        let connections = [Self.connected("acme"), Self.connected("beta")]
        let address = "https://api.openai.com/v1"
        #expect(UpstreamBilling.account(of: "openai", at: address, among: connections) == nil)
        #expect(
            UpstreamBilling.otherAccounts(than: Self.upstream("main", at: address), among: connections)
                == ["acme", "beta"])
        #expect(UpstreamBilling.otherAccounts(than: Self.upstream("beta", at: address), among: connections) == [])
    }

    @Test func aServerOfOnesOwnIsOnNobodysBill() {
        let local = Self.upstream("local", at: "http://127.0.0.1:8000/v1")
        #expect(UpstreamBilling.otherAccounts(than: local, among: [Self.connected("acme")]) == [])
    }
}
