import EventLog

/// Cuts appends into requests that the log takes, in order.
enum AppendPacking {
    static let requestEvents = 2_000
    static let requestBytes = 4 << 20

    /// - Returns: at least one request's worth, the last one possibly empty.
    static func chunks(_ appends: [StreamAppend]) -> [[StreamAppend]] {
        var chunks: [[StreamAppend]] = [[]]
        var events = 0
        var bytes = 0
        for append in appends {
            var expected = append.expected
            for event in append.events {
                if events > 0, events == requestEvents || bytes + event.payload.count > requestBytes {
                    chunks.append([])
                    (events, bytes) = (0, 0)
                }
                var chunk = chunks[chunks.count - 1]
                if let last = chunk.indices.last, chunk[last].stream == append.stream {
                    chunk[last].events.append(event)
                } else {
                    chunk.append(StreamAppend(append.stream, expected: expected, [event]))
                }
                chunks[chunks.count - 1] = chunk
                if case .exactly(let version) = expected { expected = .exactly(version.next) }
                events += 1
                bytes += event.payload.count
            }
        }
        return chunks
    }
}
