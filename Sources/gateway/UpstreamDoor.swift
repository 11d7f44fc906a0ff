import FinOps
import Metering
import NIOHTTP1
import Proxy
import Secret

/// How one upstream is called: worked out once when it is set, not for each call.
struct UpstreamDoor: Sendable {
    let facts: UpstreamFacts
    let address: UpstreamAddress
    let basePath: String
    let baseQuery: String
    /// The field that carries the provider's key; nil until the vault has given it.
    var credential: (name: String, value: String)?

    /// - Returns: nil for an address that is none: http or https, a host, perhaps a port, a path and a query.
    init?(_ facts: UpstreamFacts, authorities: String?) {
        var rest = facts.baseURL[...]
        let isTLS = rest.hasPrefix("https://")
        guard isTLS || rest.hasPrefix("http://") else { return nil }
        rest = rest.dropFirst(isTLS ? 8 : 7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@"), let (host, port) = Self.split(authority) else { return nil }
        rest = rest.dropFirst(authority.count)
        let path = rest.prefix { $0 != "?" && $0 != "#" }
        self.facts = facts
        address = UpstreamAddress(host: host, port: port ?? (isTLS ? 443 : 80), isTLS: isTLS, authorities: authorities)
        basePath = String(path)
        baseQuery = String(rest.dropFirst(path.count).drop { $0 == "?" }.prefix { $0 != "#" })
    }

    private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
        var host = authority
        var port: Int?
        let bracket = authority.lastIndex(of: "]")
        if let colon = authority.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else { return nil }
            port = Int(number)
            host = authority[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : (String(host), port)
    }

    mutating func take(_ secret: Secret) {
        let key = secret.withUTF8 { String(decoding: $0, as: UTF8.self) }
        credential =
            switch facts.provider {
            case .openai: ("authorization", "Bearer \(key)")
            case .anthropic: ("x-api-key", key)
            case .azure: ("api-key", key)
            }
    }

    /// Path and query for a call.
    func target(_ match: RouteMatch, model: String) -> String {
        let named = facts.provider == .azure && match.needsDeployment(basePath: basePath)
        return match.upstreamTarget(
            basePath: basePath, baseQuery: baseQuery, deployment: named ? facts.deployments[model] ?? model : nil)
    }
}
