/// What makes a usage row the same row in a later statement: kind, bucket and every grouping value; null is a value.
/// Provider and account come with the stream.
package struct UsageIdentity: Hashable, Sendable {
    /// Of usage, not of event: `completions`, `embeddings` …, or `legacy-completion` … from the older interface.
    package let kind: String
    /// Unix seconds; normally an hour begins there.
    package let bucketStart: Int64
    /// From here on grouping values as the provider wrote them; nil where it said null or does not group by it.
    package let projectID: String?
    package let apiKeyID: String?
    package let model: String?
    package let batch: Bool?
    package let serviceTier: String?
    /// Of an image, such as `1024x1024`.
    package let size: String?
    /// Where an image request came from, such as `image.generation`.
    package let source: String?
    package let vectorStoreID: String?
    /// Of a web search, such as `low`.
    package let contextLevel: String?

    package init(_ row: WireUsageRow) {
        kind = row.kind
        bucketStart = row.bucketStart
        projectID = row.hasProjectID ? row.projectID : nil
        apiKeyID = row.hasApiKeyID ? row.apiKeyID : nil
        model = row.hasModel ? row.model : nil
        batch = row.hasBatch ? row.batch : nil
        serviceTier = row.hasServiceTier ? row.serviceTier : nil
        size = row.hasSize ? row.size : nil
        source = row.hasSource ? row.source : nil
        vectorStoreID = row.hasVectorStoreID ? row.vectorStoreID : nil
        contextLevel = row.hasContextLevel ? row.contextLevel : nil
    }
}

/// A bucket of one kind of usage: what a walk covers or leaves out.
package struct UsageBucket: Hashable, Sendable {
    package let kind: String
    /// Unix seconds.
    package let start: Int64

    package init(kind: String, start: Int64) {
        self.kind = kind
        self.start = start
    }

    package init(_ row: WireUsageRow) { self.init(kind: row.kind, start: row.bucketStart) }
}

extension WireQuantities {
    /// No count of one row reaches this: 2^50 tokens an hour are a million times what any provider serves. Below it, sums of
    /// eight thousand rows fit into 64 bits, and every fold relies on that.
    package static let countLimit: Int64 = 1 << 50

    /// Whether every count is one that can be.
    package var isBelievable: Bool {
        // Asked for every event of a rebuild, where key paths would take longer than all the rest. The limit is a power of
        // two, so that no bits together reach it unless one count does.
        let all =
            requests | inputTokens | cachedInputTokens | cacheWriteTokens | outputTokens | audioInputTokens
            | cachedAudioInputTokens | audioOutputTokens | imageInputTokens | cachedImageInputTokens
            | imageOutputTokens | images | characters | seconds | usageBytes | sessions | calls | cacheWrite1HTokens
            | reasoningTokens
        return all >= 0 && all < Self.countLimit
    }

    /// The sum, count by count; nil where one of them leaves `Int64`.
    package func adding(_ other: WireQuantities) -> WireQuantities? {
        var sum = self
        for path in Self.counts {
            let (value, overflow) = self[keyPath: path].addingReportingOverflow(other[keyPath: path])
            if overflow { return nil }
            sum[keyPath: path] = value
        }
        return sum
    }

    /// Whether nothing was metered: so a row is stated that vanished.
    package var isZero: Bool { Self.counts.allSatisfy { self[keyPath: $0] == 0 } }

    /// Every count there is: a new one belongs here.
    private static var counts: [WritableKeyPath<WireQuantities, Int64>] {
        [
            \.requests, \.inputTokens, \.cachedInputTokens, \.cacheWriteTokens, \.outputTokens, \.audioInputTokens,
            \.cachedAudioInputTokens, \.audioOutputTokens, \.imageInputTokens, \.cachedImageInputTokens,
            \.imageOutputTokens, \.images, \.characters, \.seconds, \.usageBytes, \.sessions, \.calls,
            \.cacheWrite1HTokens, \.reasoningTokens,
        ]
    }
}
