import NIOHTTP1

/// What a request's head must be like, beyond what the parser refuses (RFC 9112): nothing that two servers in a row could
/// understand differently, nothing that would choose another destination.
enum RequestScreening {
    /// What is known of a head that was let in.
    struct Passed {
        /// nil: none, or chunked.
        var contentLength: Int?
        var isChunked = false
        var expectsContinue = false
        /// A change of protocol was offered and is ignored: the parser cannot go on behind it.
        var isLast = false
    }

    static func screen(_ head: HTTPRequestHead) -> Result<Passed, ScreeningRefusal> {
        guard head.method != .CONNECT, head.method != .TRACE else { return .failure(.init(.methodRefused)) }
        guard head.uri.utf8.first == UInt8(ascii: "/"), head.uri.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return .failure(.init(.malformed))  // absolute-form and asterisk-form ask for something we are not
        }
        var passed = Passed()
        var (hosts, types) = (0, 0)
        for (name, value) in head.headers {
            guard HopByHop.isSafe(value) else { return .failure(.init(.malformed)) }
            switch name.utf8.count {
            case 4 where FieldName.isSame(name, "host"): hosts += 1
            case 6 where FieldName.isSame(name, "expect"):
                guard value.lowercased() == "100-continue" else { return .failure(.init(.expectationFailed)) }
                passed.expectsContinue = head.version == .http1_1
            case 7 where FieldName.isSame(name, "upgrade"):
                // Some clients offer h2c with every request and go on without; others want nothing else.
                guard FieldList(value: value).allSatisfy({ $0.lowercased() == "h2c" }) else {
                    return .failure(.init(.upgradeRefused))
                }
                passed.isLast = true
            case 12 where FieldName.isSame(name, "content-type"): types += 1
            case 14 where FieldName.isSame(name, "content-length"):
                guard passed.contentLength == nil, let length = decimal(value) else {
                    return .failure(.init(.malformed))
                }
                passed.contentLength = length
            case 17 where FieldName.isSame(name, "transfer-encoding"):
                guard !passed.isChunked, value.lowercased() == "chunked" else { return .failure(.init(.malformed)) }
                passed.isChunked = true
            default: break
            }
        }
        guard types <= 1 else { return .failure(.init(.malformed)) }
        guard hosts == 1 || hosts == 0 && head.version == .http1_0 else { return .failure(.init(.malformed)) }
        if passed.isChunked, passed.contentLength != nil || head.version != .http1_1 {
            return .failure(.init(.malformed))
        }
        return .success(passed)
    }

    /// Digits alone: no sign, no list, no space.
    private static func decimal(_ value: String) -> Int? {
        guard (1...18).contains(value.utf8.count), value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(value)
    }
}

/// Why a head was not let in.
struct ScreeningRefusal: Error {
    let problem: ProxyProblem

    init(_ problem: ProxyProblem) { self.problem = problem }
}
