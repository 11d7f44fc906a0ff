import EventLog
import FinOps
import Runtime
import TestSupport

/// A producer that appends usage of an account of its own without a rest, whatever happens to the log, and remembers
/// what was acknowledged.
actor LoadWriter {
    /// One acknowledged append: where its events are.
    struct Acknowledged: Sendable {
        let first: Position
        let ids: [EventID]
    }

    static let model = "gpt-4o-mini-2024-07-18"
    private static let rowsAtOnce = 8
    /// Input and output tokens of each row, and what they cost: 1,000 × 0.15 + 100 × 0.60 USD a million.
    private static let tokens: (input: Int64, output: Int64) = (1_000, 100)
    private static let nanosOfRow = 210_000

    private(set) var acknowledged: [Acknowledged] = []
    private var isOver = false
    private var row = 0

    func end() { isOver = true }

    /// Returns after `end()`, with the answer to the last append.
    /// - Throws: what does not pass by itself.
    func write(to directory: StateDirectory) async throws {
        let connection = try await LogConnector.remote.connect(directory)
        let store = connection.store
        let session = try await patiently { () throws(StoreError) in try await store.openSession("chaos-load") }
        var sequence: UInt64 = 0
        while !isOver {
            let events = try nextEvents()
            sequence += 1
            let request = AppendRequest(
                session: session, sequence: sequence, [StreamAppend("usage-load-2026-11-10", events)])
            let receipt = try await patiently { () throws(StoreError) in try await store.append(request) }
            acknowledged.append(Acknowledged(first: receipt.first, ids: events.map(\.id)))
            try await Task.sleep(for: .milliseconds(50))
        }
        await connection.close()
    }

    /// The same request again and again until it is answered, which is what its sequence is for, or the run is given up.
    private func patiently<Answer: Sendable>(
        _ call: @Sendable () async throws(StoreError) -> Answer
    ) async throws -> Answer {
        while true {
            do throws(StoreError) { return try await call() } catch {
                guard case .failed(let failure) = error, failure.isRetriable, !Task.isCancelled else { throw error }
            }
        }
    }

    private func nextEvents() throws -> [NewEvent] {
        let rows = (row..<row + Self.rowsAtOnce).map { number in
            usageRow(
                model: Self.model, start: hour("2026-11-10", Int64(number % 24)),
                project: "proj_load_\(number / 240)", key: Self.key(number)
            ) {
                ($0.inputTokens, $0.outputTokens, $0.requests) = (Self.tokens.input, Self.tokens.output, 1)
            }
        }.map { row in
            var row = row
            row.account = "load"
            return row
        }
        row += Self.rowsAtOnce
        let now = wallTime()
        let covered = Set(rows.map { UsageBucket(kind: $0.kind, start: $0.bucketStart) })
        let observation = UsageObservation(
            provider: "openai", account: "load", observed: now, rows: rows, covered: covered)
        var random = SystemRandomNumberGenerator()
        return try UsageDay.decide(.observe(observation, .seed), UsageDay.initialState).map {
            $0.newEvent(id: .v7(at: now, using: &random), occurred: now)
        }
    }

    private static func key(_ row: Int) -> String { "key_load_\(row / 24 % 10)" }

    /// What the acknowledged rows come to by key and model.
    var expected: [[String?]: Oracle.Totals] {
        let rows = acknowledged.count * Self.rowsAtOnce
        return (0..<rows).reduce(into: [:]) { totals, number in
            let one = Oracle.Totals(
                nanos: Self.nanosOfRow, input: Int(Self.tokens.input), output: Int(Self.tokens.output), requests: 1)
            totals[[Self.key(number), Self.model], default: .init()].add(one)
        }
    }
}
