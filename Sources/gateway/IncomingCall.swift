import Digest
import EventLog
import FinOps
import Metering
import NIOCore
import NIOHTTP1
import Proxy

/// A request that is a call: its route has a meter, it shows a key, and its body could be read. A reference, because it is
/// handed on and on; the request itself is not remembered with it, so that its body can go.
final class IncomingCall: Sendable {
    let id: EventID
    let attempt: CallAttempt
    let match: RouteMatch
    /// As it was admitted with.
    let facts: RequestFacts
    /// Of a form that may have gone on before it was whole.
    private let form: UploadedForm?
    let hash: KeyHash
    let started: Timestamp
    /// When its head was whole.
    let begun: NIODeadline

    init(
        _ request: ProxyRequest, _ id: EventID, _ match: RouteMatch, _ facts: RequestFacts, _ hash: KeyHash,
        _ started: Timestamp
    ) {
        self.id = id
        attempt = Self.attempt(request.head.headers, id, hash, started)
        self.match = match
        self.facts = facts
        form = request.reader as? UploadedForm
        self.hash = hash
        self.started = started
        begun = request.started
    }

    /// As all that has come by now says.
    var factsNow: RequestFacts { form?.facts ?? facts }
    /// Whether it was read while it came, and may have gone on before all of it was known.
    var isUpload: Bool { form != nil }

    var microsecondsSoFar: Int64 { (NIODeadline.now() - begun).nanoseconds / 1_000 }

    /// The key that a request shows, however it is called there: more than one where it shows different ones.
    static func keys(_ headers: HTTPHeaders) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for (name, value) in headers {
            guard let key = key(name, value), !keys.contains(key) else { continue }
            keys.append(key)
        }
        return keys
    }

    private static func key(_ name: String, _ value: String) -> [UInt8]? {
        switch name.utf8.count {
        case 13 where name.lowercased() == "authorization":
            let scheme = "bearer "
            let bytes = value.utf8
            guard bytes.count > scheme.utf8.count, zip(bytes, scheme.utf8).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 })
            else { return nil }
            return Array(bytes.dropFirst(scheme.utf8.count))
        case 9 where name.lowercased() == "x-api-key", 7 where name.lowercased() == "api-key":
            return Array(value.utf8)
        default: return nil
        }
    }

    /// A field that is meant for the gateway alone.
    static func isOwn(_ name: String) -> Bool {
        let beginning: StaticString = "x-finops-"
        guard name.utf8.count > beginning.utf8CodeUnitCount else { return false }
        var expected = beginning.utf8Start
        for byte in name.utf8.prefix(beginning.utf8CodeUnitCount) {
            guard byte | 0x20 == expected.pointee else { return false }
            expected += 1
        }
        return true
    }

    /// Attempts that a client says belong together, by one idempotency key, are attempts at one call.
    private static func attempt(
        _ headers: HTTPHeaders, _ id: EventID, _ hash: KeyHash, _ started: Timestamp
    ) -> CallAttempt {
        guard let said = headers.first(name: "idempotency-key"), (1...256).contains(said.utf8.count) else {
            return CallAttempt(call: "call-\(id)", attempt: 1, started: started)
        }
        let retries = headers.first(name: "x-stainless-retry-count").flatMap { UInt32($0) } ?? 0
        // With the key's hash in it, nobody can name another project's call.
        let digest = SHA256.hash(hash.bytes + Array(said.utf8))
        return CallAttempt(
            call: "call-" + hexText(digest.prefix(16)), attempt: min(retries, 1_000) + 1, started: started)
    }

    /// What goes to the upstream.
    func upstreamRequest(_ request: ProxyRequest, _ door: UpstreamDoor) -> UpstreamRequest {
        var fields = ForwardedFields(of: request.head.headers)
        // What is compressed cannot be metered.
        fields.set("accept-encoding", to: "identity")
        if let credential = door.credential { fields.set(credential.name, to: credential.value) }
        return UpstreamRequest(
            upstream: door.address, method: request.head.method, target: door.target(match, model: facts.model),
            headers: fields, body: body(of: request), rest: request.rest)
    }

    private func body(of request: ProxyRequest) -> ByteBuffer {
        guard let splice = facts.splice else { return request.body }
        let bytes = request.body.readableBytesView
        var changed = ByteBuffer()
        changed.reserveCapacity(bytes.count - splice.range.count + splice.replacement.count)
        changed.writeBytes(bytes.prefix(splice.range.lowerBound))
        changed.writeBytes(splice.replacement)
        changed.writeBytes(bytes.dropFirst(splice.range.upperBound))
        return changed
    }
}
