import Runtime
import Testing

@Suite struct GatewaySettingsTests {
    private func parsed(_ text: String) throws -> Configuration {
        try Configuration.parse(text, file: "config.yaml")
    }

    private func problems(_ text: String, environment: [String: String] = [:]) -> [String] {
        do {
            _ = try Configuration.parse(text, file: "config.yaml", environment: environment)
            return []
        } catch { return error.problems.map(\.description) }
    }

    @Test func aGatewayListensOnLoopbackUnlessTheFileSaysOtherwise() throws {
        let usual = try parsed("")
        #expect(usual.gatewayListen.description == "127.0.0.1:0" && usual.gatewayMaxBody == 32 << 20)
        #expect(usual.gatewayTLS == nil)
        #expect(!usual.gatewayClosesWhenFull && usual.gatewayLogGrace == .seconds(3600))
        #expect(usual.gatewayClosesWithoutLog && usual.gatewayUpstreamTimeout == .seconds(600))
        #expect(usual.gatewayUnpricedPerMillion == 100_000_000_000)
        let other = try parsed(
            "gateway_listen: \"[::1]:8443\"\ngateway_max_body: 64KiB\ngateway_spool_full: fail-closed\n"
                + "gateway_log_lost: fail-open\n")
        #expect(other.gatewayListen.host == "::1" && other.gatewayListen.port == 8443)
        #expect(other.gatewayMaxBody == 65_536 && other.gatewayClosesWhenFull && !other.gatewayClosesWithoutLog)
    }

    @Test(arguments: [
        "gateway_listen: localhost:80", "gateway_listen: \"127.0.0.1\"", "gateway_listen: \"::1:80\"",
        "gateway_listen: 127.0.0.1:70000", "gateway_max_body: 32", "gateway_max_body: 2GiB", "gateway_max_body: -1MiB",
        "gateway_spool_full: maybe", "gateway_tls_key: key.pem", "gateway_unpriced_per_million: \"1.0000000001\"",
        "gateway_unpriced_per_million: \"-1\"", "gateway_log_grace: 0s",
        "gateway_log_lost: open", "gateway_upstream_timeout: 1s",
    ]) func whatIsNoSettingIsRefused(_ line: String) {
        #expect(throws: DocumentProblems.self) { try parsed(line) }
    }

    @Test func aGatewayThatOthersReachIsEncryptedOrRefused() {
        let open = problems("gateway_listen: 0.0.0.0:8700\n")
        #expect(open.count == 1 && open[0].hasPrefix("config.yaml:1: gateway_listen: 0.0.0.0:8700 is reachable"))
        let half = problems("gateway_listen: 127.0.0.1:0\ngateway_tls_key: /etc/key.pem\n")
        #expect(half.count == 1 && half[0].contains("only gateway_tls_key is set"))
        let files = "gateway_tls_key: /etc/key.pem\ngateway_tls_certificate: /etc/chain.pem\n"
        #expect(problems(files + "gateway_listen: 0.0.0.0:8700\n").isEmpty)
        #expect(problems("gateway_listen: '[::1]:8700'\n").isEmpty)
        #expect(problems("", environment: ["FINOPS_GATEWAY_LISTEN": "10.0.0.1:1"]).count == 1)
    }

    @Test func anAmountIsExact() throws {
        let settings = try parsed("gateway_unpriced_per_million: \"0.000000001\"")
        #expect(settings.gatewayUnpricedPerMillion == 1)
    }
}
