package import NIOHTTP1

/// Fields that concern one connection alone (RFC 9110, 7.6.1) and are never passed on.
enum HopByHop {
    /// - Returns: the fields without those of the connection, those that `Connection` names included.
    static func stripped(_ headers: HTTPHeaders) -> HTTPHeaders {
        // Most answers have none, and are passed on without a copy.
        for (name, value) in headers where isOne(name) || !isSafe(value) { return filtered(headers) { _ in true } }
        return headers
    }

    /// - Parameter isKept: asked about what is not hop-by-hop.
    static func filtered(_ headers: HTTPHeaders, _ isKept: (String) -> Bool) -> HTTPHeaders {
        var named: [Substring] = []
        for (name, value) in headers where FieldName.isSame(name, "connection") { named += FieldList(value: value) }
        var kept: [(String, String)] = []
        kept.reserveCapacity(headers.count + 4)
        for (name, value) in headers where !isOne(name) && isKept(name) && !isNamed(name, named) && isSafe(value) {
            kept.append((name, value))
        }
        return HTTPHeaders(kept)
    }

    private static func isOne(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: FieldName.isSame(name, "te")
        case 7: FieldName.isSame(name, "trailer") || FieldName.isSame(name, "upgrade")
        case 10: FieldName.isSame(name, "connection") || FieldName.isSame(name, "keep-alive")
        case 14: FieldName.isSame(name, "http2-settings")
        case 16: FieldName.isSame(name, "proxy-connection")
        case 17: FieldName.isSame(name, "transfer-encoding")
        case 18: FieldName.isSame(name, "proxy-authenticate")
        case 19: FieldName.isSame(name, "proxy-authorization")
        default: false
        }
    }

    /// `Content-Length` cannot be taken off by naming it: where an answer ends must not be up to such a list.
    private static func isNamed(_ name: String, _ named: [Substring]) -> Bool {
        guard !named.isEmpty, !FieldName.isSame(name, "content-length") else { return false }
        return named.contains { $0.utf8.count == name.utf8.count && $0.lowercased() == name.lowercased() }
    }

    /// HTTP/2 could carry what would be a new line in HTTP/1.
    static func isSafe(_ value: String) -> Bool {
        value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}

/// A client's fields as they may go on to an upstream: without hop-by-hop ones, our own (`X-FinOps-*`), the client's
/// credentials and cookies, the account that it would like to be charged (`OpenAI-Organization`, `OpenAI-Project`: our key's
/// is), where the client is and through what it came, and what the proxy says itself (`Host`, `Content-Length`, `Expect`).
package struct ForwardedFields: Sendable {
    private(set) var all: HTTPHeaders

    package init(of headers: HTTPHeaders) {
        all = HopByHop.filtered(headers) { name in
            switch name.utf8.first.map({ $0 | 0x20 }) {
            case UInt8(ascii: "a"): !FieldName.isSame(name, "authorization") && !FieldName.isSame(name, "api-key")
            case UInt8(ascii: "c"): !FieldName.isSame(name, "content-length") && !FieldName.isSame(name, "cookie")
            case UInt8(ascii: "e"): !FieldName.isSame(name, "expect")
            case UInt8(ascii: "f"): !FieldName.isSame(name, "forwarded")
            case UInt8(ascii: "h"): !FieldName.isSame(name, "host")
            case UInt8(ascii: "o"):
                !FieldName.isSame(name, "openai-organization") && !FieldName.isSame(name, "openai-project")
            case UInt8(ascii: "v"): !FieldName.isSame(name, "via")
            case UInt8(ascii: "x"):
                !FieldName.isSame(name, "x-api-key") && !FieldName.hasPrefix(name, "x-finops-")
                    && !FieldName.hasPrefix(name, "x-forwarded-") && !FieldName.isSame(name, "x-real-ip")
            default: true
            }
        }
    }

    /// Says something in the place of whatever the client said under that name.
    package mutating func set(_ name: String, to value: String) { all.replaceOrAdd(name: name, value: value) }
}
