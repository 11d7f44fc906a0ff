import FinOps

/// A usage row as the fold needs it: numbers unpacked, texts still bytes of the payload. A rebuild reads millions of
/// them, so it allocates nothing; `UsageFactReader` fills it.
struct UsageFact {
    enum Statement { case recorded, restated, repriced }

    var payload: [UInt8]
    var statement: Statement
    var bucketStart: Int64 = 0
    var bucketEnd: Int64 = 0
    var observed: Int64 = 0
    var quantities = UsageQuantities()
    var hasCost = false
    var costNanos: Int64 = 0
    var priceEstimated = false
    var longContextPossible = false
    var currency = 0..<0
    var priceVersion = 0..<0
    var unpricedReason = 0..<0
    /// Where the row's message lies in the payload.
    var row = 0..<0
    /// Where the fields lie that name the series, without the bucket's bounds: two pieces, before and after those.
    var identityHead = 0..<0
    var identityTail = 0..<0
    var identityHash: UInt64 = 0

    init(payload: [UInt8], statement: Statement) {
        self.payload = payload
        self.statement = statement
    }

    var flags: TermsFlags {
        TermsFlags(statement)
            .union(priceEstimated ? .priceEstimated : []).union(longContextPossible ? .longContextPossible : [])
    }
}

/// A usage row on its way from the reader to the fold: one object, so that it is handed on without being copied. The fold
/// takes it and not the fact, whose 330 bytes would be copied at every call.
final class UsageStatement: Sendable {
    let fact: UsageFact

    init(_ fact: UsageFact) { self.fact = fact }
}

/// The counts of a row, in the order of the schema's field numbers.
struct UsageQuantities {
    static let count = 19

    var requests: Int64 = 0
    var inputTokens: Int64 = 0
    var cachedInputTokens: Int64 = 0
    var cacheWriteTokens: Int64 = 0
    var outputTokens: Int64 = 0
    var audioInputTokens: Int64 = 0
    var cachedAudioInputTokens: Int64 = 0
    var audioOutputTokens: Int64 = 0
    var imageInputTokens: Int64 = 0
    var cachedImageInputTokens: Int64 = 0
    var imageOutputTokens: Int64 = 0
    var images: Int64 = 0
    var characters: Int64 = 0
    var seconds: Int64 = 0
    var usageBytes: Int64 = 0
    var sessions: Int64 = 0
    var calls: Int64 = 0
    var cacheWrite1hTokens: Int64 = 0
    var reasoningTokens: Int64 = 0

    mutating func set(field: UInt64, _ value: Int64) {
        switch field {
        case 1: requests = value
        case 2: inputTokens = value
        case 3: cachedInputTokens = value
        case 4: cacheWriteTokens = value
        case 5: outputTokens = value
        case 6: audioInputTokens = value
        case 7: cachedAudioInputTokens = value
        case 8: audioOutputTokens = value
        case 9: imageInputTokens = value
        case 10: cachedImageInputTokens = value
        case 11: imageOutputTokens = value
        case 12: images = value
        case 13: characters = value
        case 14: seconds = value
        case 15: usageBytes = value
        case 16: sessions = value
        case 17: calls = value
        case 18: cacheWrite1hTokens = value
        case 19: reasoningTokens = value
        default: break
        }
    }

    /// The counts that few rows have, in the order of `CellTable.detailColumns`; nil when this one has none of them.
    var detail: [Int64]? {
        guard hasDetail else { return nil }
        return [
            cacheWriteTokens, audioInputTokens, cachedAudioInputTokens, audioOutputTokens, imageInputTokens,
            cachedImageInputTokens,
            imageOutputTokens, images, characters, seconds, usageBytes, sessions, calls,
            cacheWrite1hTokens, reasoningTokens,
        ]
    }

    private var hasDetail: Bool {
        cacheWriteTokens | audioInputTokens | cachedAudioInputTokens | audioOutputTokens | imageInputTokens
            | cachedImageInputTokens
            | imageOutputTokens | images | characters | seconds | usageBytes | sessions | calls
            | cacheWrite1hTokens | reasoningTokens != 0
    }

    /// Whether every count is one that can be.
    var isBelievable: Bool {
        let all =
            requests | inputTokens | cachedInputTokens | cacheWriteTokens | outputTokens | audioInputTokens
            | cachedAudioInputTokens | audioOutputTokens | imageInputTokens | cachedImageInputTokens | imageOutputTokens
            | images | characters | seconds | usageBytes | sessions | calls | cacheWrite1hTokens | reasoningTokens
        return all >= 0 && all < WireQuantities.countLimit
    }
}
