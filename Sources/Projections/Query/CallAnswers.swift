package import EventLog
package import FinOps
package import JSON

/// One attempt at a call through a gateway. What the caller said about it (`taskType` to `metadata`) nobody has checked.
package struct CallEntry: Hashable, Sendable {
    /// The same for all attempts at it.
    package var call: String
    /// From 1.
    package var attempt: Int64
    /// The name of the one it went through.
    package var gateway: String
    /// Id of the gateway's key.
    package var key: String?
    /// The key's; it pays for the call.
    package var project: String?
    /// The project's in the hour in which the call started; nil where nothing says it.
    package var team: String?
    package var taskType: String?
    package var intent: String?
    package var feature: String?
    /// A keyed pseudonym of what the caller said.
    package var user: String?
    /// An object of texts by name; nil: the caller gave none.
    package var metadata: JSONValue?
    /// As the request names it.
    package var modelAsked: String?
    /// The one that was served.
    package var model: String?
    /// The kind of usage: `completions`, `embeddings` …
    package var service: String?
    package var serviceTier: String?
    package var batch: Bool
    /// Of the request, such as `/v1/chat/completions`.
    package var route: String?
    package var provider: String
    /// Whose bill it is on.
    package var account: String
    /// The name of what was called.
    package var upstream: String?
    /// The provider's id of the key that it was called with; nil where it is not known.
    package var providerKey: String?
    /// Every token in exactly one class; nil where the counts contradict each other.
    package var tokens: TokenClasses?
    /// Part of the output.
    package var reasoningTokens: Int64
    /// That were made.
    package var images: Int64
    /// That were spoken.
    package var characters: Int64
    /// Of audio.
    package var seconds: Int64
    /// Nano-units; nil: unpriced, for `unpricedReason`.
    package var cost: Int64?
    /// Of `cost`; nil where there was nothing to price.
    package var currency: String?
    /// Which price list's which entry gave the cost.
    package var priceVersion: String?
    /// A rate, or a share of the tokens, was derived and not listed.
    package var isPriceEstimated: Bool
    package var unpricedReason: String?
    /// Why the quantities are counted by the gateway rather than told by the provider; nil: told.
    package var usageEstimated: String?
    /// HTTP; 0: no answer began.
    package var status: Int64
    /// complete, client-gone, request-unfinished, upstream-cut, timed-out, gateway-stopped, gateway-killed or unreachable.
    package var ended: String?
    package var started: Timestamp
    /// After the start; nil: none came.
    package var firstByteMicroseconds: Int64?
    /// nil: a kill of the gateway ended it, and nobody saw when.
    package var durationMicroseconds: Int64?
    /// Of the event that told it.
    package var position: Int64
    /// Nano-units that it was recorded with, if it was repriced since; nil also where it was unpriced.
    package var correctedFrom: Int64?
    /// Of the event that repriced it last; nil: it never was.
    package var repriced: Int64?
}

/// A question about calls.
package struct CallQuery: Hashable, Sendable {
    /// A place in the list of calls, as text that only this type reads.
    package struct Cursor: Hashable, Sendable {
        let started: Int64
        let attempt: Int64
        let call: String

        /// - Returns: nil for a text that no answer gave.
        package init?(_ text: String) {
            let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let started = Int64(parts[0]), let attempt = Int64(parts[1]) else { return nil }
            self.started = started
            self.attempt = attempt
            call = String(parts[2])
        }

        init(_ entry: CallEntry) {
            started = entry.started.microseconds
            attempt = entry.attempt
            call = entry.call
        }

        package var text: String { "\(started)/\(attempt)/\(call)" }
    }

    /// When they started.
    package var span: Range<Timestamp>
    /// nil: all, for each of these.
    package var project: String?
    /// Id of the gateway's key.
    package var key: String?
    package var limit: Int
    /// Goes on behind an earlier answer's last call.
    package var after: Cursor?

    package init(
        span: Range<Timestamp>, project: String? = nil, key: String? = nil, limit: Int, after: Cursor? = nil
    ) {
        self.span = span
        self.project = project
        self.key = key
        self.limit = limit
        self.after = after
    }
}

extension ProjectionReader {
    /// Newest first.
    /// - Returns: the calls, and where the next answer begins; nil there are no more.
    /// - Throws: `ProjectionFailure`.
    package func calls(_ query: CallQuery) throws -> (calls: [CallEntry], next: CallQuery.Cursor?) {
        try read { connection in
            let lookup = try DimensionLookup(connection)
            let all = try lookup.allSeries()
            let admitted = all.map { series in
                series.key.basis == .estimated && (query.project == nil || series.key.project == query.project)
                    && (query.key == nil || series.key.apiKey == query.key)
            }
            let timelines = try lookup.timelines()
            let before = query.after
            let statement = try Statement(
                connection,
                """
                SELECT \(CallEntry.columns) FROM calls WHERE started >= ?1 AND started < ?2
                AND (started, call, attempt) < (?3, ?4, ?5) ORDER BY started DESC, call DESC, attempt DESC
                """)
            statement.bind(all: [
                .integer(query.span.lowerBound.microseconds), .integer(query.span.upperBound.microseconds),
                .integer(before?.started ?? .max), .text(before?.call ?? ""), .integer(before?.attempt ?? 0),
            ])
            var calls: [CallEntry] = []
            while try statement.step() {
                // Numbers of series are their places, from 1.
                let number = Int(statement.integer(3))
                guard all.indices.contains(number - 1) else {
                    throw ProjectionFailure(
                        code: "projection-damaged", message: "series \(number) is missing; rebuild the projections")
                }
                guard admitted[number - 1] else { continue }
                guard calls.count < query.limit else { return (calls, calls.last.map(CallQuery.Cursor.init)) }
                let series = all[number - 1]
                let hour = statement.integer(0) / 3_600_000_000 * 3_600
                let team = try lookup.owner(timelines[series.id]?.owner(at: hour) ?? 0).team
                calls.append(try CallEntry(row: statement, series, team: team, lookup))
            }
            return (calls, nil)
        }
    }
}

extension CallEntry {
    /// In the order of `init(row:_:team:_:)`.
    static let columns =
        """
        started, call, attempt, series, terms, cost, gateway, model_asked, route, upstream, ended, usage_estimated, user,
        status, first_byte, duration, position, \(CallTable.quantityColumns.joined(separator: ", ")), first_cost, repriced,
        metadata
        """

    init(row: Statement, _ series: DimensionLookup.Series, team: String?, _ lookup: DimensionLookup) throws {
        let terms = try lookup.terms(row.integer(4))
        let quantities = WireQuantities(callRow: row, from: 17)
        let behind = 17 + Int32(CallTable.quantityColumns.count)
        self.init(
            call: row.text(1), attempt: row.integer(2), gateway: try lookup.label(row.integer(6)) ?? "",
            key: series.key.apiKey, project: series.key.project, team: team, taskType: series.key.taskType,
            intent: series.key.intent, feature: series.key.feature, user: row.optionalText(12),
            metadata: try Self.metadata(row.optionalText(behind + 2)),
            modelAsked: try lookup.label(row.integer(7)), model: series.key.model, service: series.key.kind,
            serviceTier: series.key.serviceTier, batch: series.key.batch ?? false,
            route: try lookup.label(row.integer(8)), provider: series.account.provider, account: series.account.name,
            upstream: try lookup.label(row.integer(9)), providerKey: series.key.providerKey,
            // Contradictory counts were told so and are no reason to hide the call.
            tokens: try? TokenClasses(quantities, inputOnly: TokenClasses.isInputOnly(kind: series.key.kind ?? "")),
            reasoningTokens: quantities.reasoningTokens, images: quantities.images, characters: quantities.characters,
            seconds: quantities.seconds,
            cost: row.optionalInteger(5) ?? (terms.unpricedReason == 0 ? 0 : nil),
            currency: try lookup.label(terms.currency), priceVersion: try lookup.label(terms.priceVersion),
            isPriceEstimated: terms.flags.contains(.priceEstimated),
            unpricedReason: try lookup.label(terms.unpricedReason),
            usageEstimated: try lookup.label(row.integer(11)), status: row.integer(13),
            ended: try lookup.label(row.integer(10)), started: Timestamp(microseconds: row.integer(0)),
            firstByteMicroseconds: row.integer(14) == 0 ? nil : row.integer(14),
            durationMicroseconds: row.integer(15) == 0 ? nil : row.integer(15), position: row.integer(16),
            correctedFrom: row.optionalInteger(behind),
            repriced: row.optionalInteger(behind + 1))
    }

    private static func metadata(_ text: String?) throws(ProjectionFailure) -> JSONValue? {
        guard let text else { return nil }
        do { return try JSONValue.parse(text) } catch {
            throw ProjectionFailure(
                code: "projection-damaged", message: "a call's metadata cannot be read; rebuild the projections")
        }
    }
}

extension WireQuantities {
    /// In the order of `CallTable.quantityColumns`.
    fileprivate init(callRow row: Statement, from column: Int32) {
        self.init()
        inputTokens = row.integer(column)
        cachedInputTokens = row.integer(column + 1)
        cacheWriteTokens = row.integer(column + 2)
        outputTokens = row.integer(column + 3)
        audioInputTokens = row.integer(column + 4)
        cachedAudioInputTokens = row.integer(column + 5)
        audioOutputTokens = row.integer(column + 6)
        imageInputTokens = row.integer(column + 7)
        cachedImageInputTokens = row.integer(column + 8)
        imageOutputTokens = row.integer(column + 9)
        images = row.integer(column + 10)
        characters = row.integer(column + 11)
        seconds = row.integer(column + 12)
        cacheWrite1HTokens = row.integer(column + 13)
        reasoningTokens = row.integer(column + 14)
    }
}
