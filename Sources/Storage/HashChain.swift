import Digest
import EventLog

/// Ties each row to all before it: hash = SHA-256(hash of the row before ‖ the event in `EventCodec`'s form). Before the
/// first event it is 32 zero bytes.
struct HashChain: ~Copyable {
    private(set) var hash: [UInt8]
    private var hasher = SHA256()

    init(after hash: [UInt8]) { self.hash = hash }

    mutating func extend(by event: UnsafeRawBufferPointer) {
        hasher.reset()
        hasher.update(hash)
        hasher.update(event)
        hash.withUnsafeMutableBytes { hasher.finish(into: $0) }
    }

    mutating func restart(after hash: [UInt8]) { self.hash = hash }
}

/// What tells a repeated request from another one under the same sequence: SHA-256 over producer and sequence, then
/// each stream with what was expected of it, then each event as the producer sent it. Without the epoch: who comes back in a
/// new session may repeat what it never got an answer to.
struct RequestDigest: ~Copyable {
    private var hasher = SHA256()
    private var header: [UInt8] = []

    init(_ request: AppendRequest) {
        header.append(short: request.producer.text)
        header.append(little: request.sequence)
        hasher.update(header)
    }

    mutating func begin(_ append: StreamAppend) {
        header.removeAll(keepingCapacity: true)
        header.append(short: append.stream.text)
        header.append(little: UInt32(append.events.count))
        let (kind, version): (UInt8, UInt64) =
            switch append.expected {
            case .any: (0, 0)
            case .noStream: (1, 0)
            case .streamExists: (2, 0)
            case .exactly(let version): (3, version.value)
            }
        header.append(kind)
        header.append(little: version)
        hasher.update(header)
    }

    /// - Parameter event: the part of `EventCodec`'s form that the producer decides.
    mutating func add(event: UnsafeRawBufferPointer) { hasher.update(event) }

    consuming func finish() -> [UInt8] { hasher.finish() }

    /// The digest of a request that is not being written.
    static func of(_ request: AppendRequest) -> [UInt8] {
        var digest = RequestDigest(request)
        var bytes: [UInt8] = []
        for append in request.streams {
            digest.begin(append)
            for event in append.events {
                bytes.removeAll(keepingCapacity: true)
                EventCodec.encode(
                    event, producerSequence: request.sequence, into: &bytes, stream: append.stream,
                    producer: request.producer)
                bytes.withUnsafeBytes { digest.add(event: $0) }
            }
        }
        return digest.finish()
    }
}
