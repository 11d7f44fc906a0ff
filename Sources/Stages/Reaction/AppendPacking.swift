import EventLog

/// Cuts appends into requests that the log takes, in order.
enum AppendPacking {
    static let requestEvents = 2_000
    static let requestBytes = 4 << 20

    /// - Returns: at least one request's worth; an empty one if there is nothing.
    static func chunks(_ appends: [StreamAppend]) -> [[StreamAppend]] {
        var chunks: [[StreamAppend]] = []
        var chunk: [StreamAppend] = []
        var (events, bytes) = (0, 0)
        for append in appends {
            var rest = StreamAppend(append.stream, expected: append.expected, [])
            for event in append.events {
                if events > 0, events == requestEvents || bytes + event.payload.count > requestBytes {
                    if !rest.events.isEmpty { chunk.append(rest) }
                    chunks.append(chunk)
                    rest = rest.continued
                    chunk = []
                    (events, bytes) = (0, 0)
                }
                rest.events.append(event)
                events += 1
                bytes += event.payload.count
            }
            if !rest.events.isEmpty { chunk.append(rest) }
        }
        return chunks + [chunk]
    }
}

extension StreamAppend {
    /// What follows on it in the same stream.
    fileprivate var continued: StreamAppend {
        guard case .exactly(let version) = expected else { return StreamAppend(stream, expected: expected, []) }
        return StreamAppend(stream, expected: .exactly(StreamVersion(version.value + UInt64(events.count))), [])
    }
}
