package import EventLog
package import FinOps
import JSON
package import Secret
package import Transfer

/// An OpenAI organisation, read through its usage and costs endpoints with an admin key.
package struct OpenAIUsageSource: UsageSource {
    static let provider = "openai"

    let account: String
    let endpoint: OpenAIEndpoint
    let secret: Secret
    let transport: PatientTransport

    /// - Parameters:
    ///   - account: the connection's name; it is in every row.
    ///   - transport: this organisation's own, so that one request is in flight.
    package init(account: String, endpoint: OpenAIEndpoint, secret: Secret, transport: PatientTransport) {
        self.account = account
        self.endpoint = endpoint
        self.secret = secret
        self.transport = transport
    }

    /// Of all requests through this source's transport since it was made.
    package var effort: SourceEffort {
        get async {
            let effort = await transport.effort
            return SourceEffort(requests: effort.requests, retries: effort.retries)
        }
    }

    /// All kinds, in hours. A kind that the server does not know is a note; without completions there is no answer.
    package func usage(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        UsageObservation
    > {
        var (rows, covered, notes): ([WireUsageRow], Set<UsageBucket>, [String]) = ([], [], [])
        var rejected: [Day: SourceFailure] = [:]
        for kind in OpenAIUsageKind.allCases {
            guard let range = Self.range(of: days, at: now) else { break }
            do throws(SourceFailure) {
                let outcome = try await walk(kind, range)
                rows += outcome.rows
                rejected.merge(outcome.rejected) { first, _ in first }
                for start in stride(from: range.lowerBound, to: range.upperBound, by: 3_600) {
                    covered.insert(UsageBucket(kind: kind.rawValue, start: start))
                }
                notes += Self.notes(kind.path, strays: outcome.strays)
            } catch {
                guard error.kind == .notFound, kind != .completions else { throw error }
                notes.append("\(kind.path): not known there, not collected")
            }
        }
        let observation = UsageObservation(
            provider: Self.provider, account: account, observed: now, rows: rows, covered: covered)
        return SourceAnswer(observation, notes: notes, rejected: rejected)
    }

    /// Costs by UTC day, project, line item and key.
    package func bills(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        BillObservation
    >? {
        var (rows, covered, notes): ([BillLine], Set<Day>, [String]) = ([], [], [])
        var rejected: [Day: SourceFailure] = [:]
        if let range = Self.range(of: days, at: now) {
            let outcome = try await withShrinkingPages(from: 180) { most throws(SourceFailure) in
                try await BucketWalk<BillLine>(
                    path: OpenAICosts.path, range: range, width: 86_400,
                    ask: { span, page throws(SourceFailure) in
                        try await ask(.costs, span, width: ("1d", 86_400), most: most, page: page)
                    },
                    rows: { start, results throws(SourceFailure) in try OpenAICosts().rows(in: results, bucket: start) }
                ).run()
            }
            rows = outcome.rows
            rejected = outcome.rejected
            try requireGrouping(OpenAICosts.path, rows.filter(OpenAICosts.isCharged).map(OpenAICosts.isGrouped))
            let starts = stride(from: range.lowerBound, to: range.upperBound, by: 86_400)
            covered = Set(starts.map { Day(number: Int($0 / 86_400)) })
            notes = Self.notes(OpenAICosts.path, strays: outcome.strays)
        }
        let observation = BillObservation(
            provider: Self.provider, account: account, observed: now, rows: rows, covered: covered)
        return SourceAnswer(observation, notes: notes, rejected: rejected)
    }

    private func walk(
        _ kind: OpenAIUsageKind, _ range: Range<Int64>
    ) async throws(SourceFailure) -> BucketWalk<WireUsageRow>.Outcome {
        let reader = OpenAIUsageRows(account: account, kind: kind)
        let outcome = try await withShrinkingPages(from: 168) { most throws(SourceFailure) in
            try await BucketWalk<WireUsageRow>(
                path: kind.path, range: range, width: 3_600,
                ask: { span, page throws(SourceFailure) in
                    try await ask(.usage(kind), span, width: ("1h", 3_600), most: most, page: page)
                },
                rows: { start, results throws(SourceFailure) in try reader.rows(in: results, bucket: start) }
            ).run()
        }
        if kind.groupings.count > 1 {
            let used = outcome.rows.filter { !$0.quantities.isZero }
            try requireGrouping(kind.path, used.map(OpenAIUsageRows.isGrouped))
        }
        return outcome
    }

    /// Pages of many buckets save requests; where one grows beyond what we take, fewer buckets fit.
    private func withShrinkingPages<Outcome: Sendable>(
        from most: Int64, _ body: (_ most: Int64) async throws(SourceFailure) -> Outcome
    ) async throws(SourceFailure) -> Outcome {
        for most in [most, 24] {
            do throws(SourceFailure) { return try await body(most) } catch {
                guard error.kind == .answerTooLarge else { throw error }
            }
        }
        return try await body(1)
    }

    private static func notes(_ path: String, strays: Int) -> [String] {
        strays == 0 ? [] : ["\(path): \(strays) buckets that were not asked for, left out"]
    }

    /// Some servers ignore one style of lists silently: all usage comes, but in one row without a name.
    private func requireGrouping(_ path: String, _ grouped: [Bool]) throws(SourceFailure) {
        guard !grouped.isEmpty, !grouped.contains(true) else { return }
        let other: OpenAIEndpoint.ListStyle = endpoint.listStyle == .plain ? .brackets : .plain
        throw SourceFailure(
            .misconfigured,
            "\(path): the answer is not grouped although group_by was sent; try --list-style \(other.rawValue)")
    }

    private func ask(
        _ what: OpenAIQuestion, _ span: Range<Int64>, width: (name: String, seconds: Int64), most: Int64, page: String?
    ) async throws(SourceFailure) -> JSONValue {
        let buckets = (span.upperBound - span.lowerBound + width.seconds - 1) / width.seconds
        var values = [
            ("start_time", String(span.lowerBound)), ("end_time", String(span.upperBound)),
            ("bucket_width", width.name), ("limit", String(min(most, max(1, buckets)))),
        ]
        if let page { values.append(("page", page)) }
        return try await send(what, values, lists: [("group_by", what.groupings)])
    }

    private func send(
        _ what: OpenAIQuestion, _ values: [(String, String)], lists: [(String, [String])]
    ) async throws(SourceFailure) -> JSONValue {
        try await what.ask(endpoint.url(what.path, values, lists: lists), secret: secret, over: transport)
    }

    /// Whole UTC days as far as they have begun, in Unix seconds; nil if none has.
    static func range(of days: ClosedRange<Day>, at now: Timestamp) -> Range<Int64>? {
        let start = days.lowerBound.utcStart.seconds
        let end = min(days.upperBound.advanced(by: 1).utcStart.seconds, now.seconds)
        return start < end ? start..<end : nil
    }
}
