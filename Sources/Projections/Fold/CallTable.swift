import FinOps
import JSON

/// The table `calls` on a prepared statement: one row an attempt, by time. Its texts are labels, but for those that nearly
/// every row has of its own.
final class CallTable {
    private let insert: Statement
    private let select: Statement
    private let update: Statement

    /// What was counted in an attempt, in the order of the columns.
    static let quantityColumns = [
        "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "audio_input_tokens",
        "cached_audio_input_tokens", "audio_output_tokens", "image_input_tokens", "cached_image_input_tokens",
        "image_output_tokens", "images", "characters", "seconds", "cache_write_1h_tokens", "reasoning_tokens",
    ]

    /// What an attempt has beside the message: the numbers its texts were given.
    struct Numbers {
        var series: Int64
        var terms: Int64
        var gateway: Int64
        var modelAsked: Int64
        var route: Int64
        var upstream: Int64
        var ended: Int64
        var usageEstimated: Int64
        var position: Int64
    }

    init(_ connection: OpaquePointer) throws(ProjectionFailure) {
        let marks = Array(repeating: "?", count: 17 + Self.quantityColumns.count).joined(separator: ",")
        insert = try Statement(connection, "INSERT INTO calls VALUES (\(marks),NULL,NULL,?) ON CONFLICT DO NOTHING")
        select = try Statement(
            connection,
            """
            SELECT series, terms, cost, position FROM calls
            WHERE started = ? AND call = ? AND attempt = ? AND gateway = ?
            """)
        update = try Statement(
            connection,
            """
            UPDATE calls SET series = ?4, terms = ?5, cost = ?6,
            first_cost = CASE WHEN repriced IS NULL THEN cost ELSE first_cost END, repriced = ?7
            WHERE started = ?1 AND call = ?2 AND attempt = ?3 AND gateway = ?8
            """)
    }

    /// What the table says of an attempt's cost.
    struct Priced {
        var series: Int64
        var terms: Int64
        /// nil: unpriced, or there was nothing to price.
        var cost: Int64?
        /// Of the event that recorded it.
        var position: Int64
    }

    /// - Returns: nil for an attempt that is not there.
    func priced(_ call: WireCallRecorded, _ numbers: Numbers) throws(ProjectionFailure) -> Priced? {
        let place: [SQLValue] = [
            .integer(call.started), .text(call.call), .integer(Int64(call.attempt)), .integer(numbers.gateway),
        ]
        return try select.rows(place) { row in
            Priced(
                series: row.integer(0), terms: row.integer(1), cost: row.optionalInteger(2), position: row.integer(3))
        }.first
    }

    /// Gives an attempt another cost; the one that it was recorded with is kept beside it.
    func reprice(_ call: WireCallRecorded, _ numbers: Numbers) throws(ProjectionFailure) {
        try update.run(
            .integer(call.started), .text(call.call), .integer(Int64(call.attempt)), .integer(numbers.series),
            .integer(numbers.terms), call.hasCost ? .integer(call.cost.nanos) : .null, .integer(numbers.position),
            .integer(numbers.gateway))
    }

    /// - Returns: false if the attempt is there already: it was said twice.
    func insert(_ call: WireCallRecorded, _ quantities: UsageQuantities, _ numbers: Numbers) throws(ProjectionFailure)
        -> Bool
    {
        insert.bind(1, call.started)
        insert.bind(2, call.call)
        insert.bind(3, Int64(call.attempt))
        insert.bind(4, numbers.series)
        insert.bind(5, numbers.terms)
        insert.bind(6, call.hasCost ? call.cost.nanos : nil)
        insert.bind(7, numbers.gateway)
        insert.bind(8, numbers.modelAsked)
        insert.bind(9, numbers.route)
        insert.bind(10, numbers.upstream)
        insert.bind(11, numbers.ended)
        insert.bind(12, numbers.usageEstimated)
        insert.bind(13, call.context.user.isEmpty ? nil : call.context.user)
        insert.bind(14, Int64(call.status))
        insert.bind(15, call.firstByte)
        insert.bind(16, call.duration)
        var column: Int32 = 17
        for count in [
            quantities.inputTokens, quantities.cachedInputTokens, quantities.cacheWriteTokens, quantities.outputTokens,
            quantities.audioInputTokens, quantities.cachedAudioInputTokens, quantities.audioOutputTokens,
            quantities.imageInputTokens, quantities.cachedImageInputTokens, quantities.imageOutputTokens,
            quantities.images, quantities.characters, quantities.seconds, quantities.cacheWrite1hTokens,
            quantities.reasoningTokens,
        ] {
            insert.bind(column, count)
            column += 1
        }
        insert.bind(column, numbers.position)
        insert.bind(column + 1, Self.text(call.context.metadata))
        return try insert.insertIfNew()
    }

    /// By name, so that a rebuild writes the same bytes.
    private static func text(_ metadata: [String: String]) -> String? {
        guard !metadata.isEmpty else { return nil }
        let pairs = metadata.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
        return JSONValue.object(pairs).text
    }
}
