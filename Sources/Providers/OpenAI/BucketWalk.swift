import EventLog
import FinOps
import JSON

/// One endpoint's buckets over a span: all pages, missing buckets asked for once more, restarts bounded.
struct BucketWalk<Row: Hashable & Sendable>: Sendable {
    let path: String
    let range: Range<Int64>
    /// Seconds of a bucket.
    let width: Int64
    /// Asks for a page of a span; nil is the first page.
    let ask: @Sendable (_ span: Range<Int64>, _ page: String?) async throws(SourceFailure) -> JSONValue
    /// Reads a bucket's rows.
    let rows: @Sendable (_ bucket: Int64, _ results: [JSONValue]) throws(SourceFailure) -> [Row]

    /// The year 10000: no bucket begins later.
    static var startLimit: Int64 { 253_402_300_800 }
    static var restartsLimit: Int { 2 }
    /// More separate holes than this are asked for as one span.
    static var holesLimit: Int { 4 }

    struct Outcome: Sendable {
        /// In the order of their buckets.
        var rows: [Row] = []
        /// UTC days with a bucket whose rows make no sense, and what is wrong with the first of them.
        var rejected: [Day: SourceFailure] = [:]
        var strays: Int

        init(_ pages: BucketPages<Row>) {
            strays = pages.strays
            for (start, content) in pages.buckets.sorted(by: { $0.key < $1.key }) {
                switch content {
                case .success(let some): rows += some
                case .failure(let failure):
                    let day = Day(utc: Timestamp(seconds: start))
                    rejected[day] = rejected[day] ?? failure
                }
            }
        }
    }

    /// - Throws: `SourceFailure`; after `restartsLimit` restarts it is a malformed answer that may pass.
    func run() async throws(SourceFailure) -> Outcome {
        var lastReason = ""
        for _ in 0...Self.restartsLimit {
            var pages = BucketPages<Row>(range: range, width: width)
            switch try await walk(range, into: &pages) {
            case .some(let reason): lastReason = reason
            case nil:
                guard let reason = try await fillHoles(of: &pages) else {
                    return Outcome(pages)
                }
                lastReason = reason
            }
        }
        throw SourceFailure(
            .malformedAnswer, "\(path): \(lastReason), \(Self.restartsLimit + 1) times", isRetriable: true)
    }

    /// A bucket that is missing is asked for once alone; what is missing then has no usage.
    private func fillHoles(of pages: inout BucketPages<Row>) async throws(SourceFailure) -> String? {
        for hole in pages.missing(mostWalks: Self.holesLimit) {
            pages.beginAnotherWalk()
            if let reason = try await walk(hole, into: &pages) { return reason }
        }
        return nil
    }

    /// - Returns: why the walk must begin again, nil if it came to its end.
    private func walk(_ span: Range<Int64>, into pages: inout BucketPages<Row>) async throws(SourceFailure) -> String? {
        var token: String?
        while true {
            switch pages.take(try page(in: await ask(span, token))) {
            case .ask(let next): token = next
            case .end: return nil
            case .restart(let reason): return reason
            }
        }
    }

    private func page(in answer: JSONValue) throws(SourceFailure) -> BucketPage<Row> {
        let reader = AnswerReader(value: answer, place: AnswerPlace(path: path))
        guard let data = answer["data"]?.array else { throw reader.malformed("data", "is missing or no list") }
        var page = BucketPage<Row>(
            buckets: [], hasMore: try reader.flag("has_more") ?? false, nextPage: try reader.text("next_page"))
        for value in data {
            let bucket = AnswerReader(value: value, place: AnswerPlace(path: path))
            let start = try bucket.count("start_time", required: true)
            let end = try bucket.count("end_time", required: true)
            // The last bucket of a running day may be told only as far as it has come.
            guard start < Self.startLimit, start % width == 0, end > start, end - start <= width else {
                throw bucket.malformed("start_time", "\(start) to \(end) is no bucket of \(width) seconds")
            }
            page.buckets.append((start, content(of: value, bucket: start)))
        }
        return page
    }

    /// A row that makes no sense spoils its bucket, not the walk.
    private func content(of value: JSONValue, bucket start: Int64) -> BucketContent<Row> {
        let place = AnswerReader(value: value, place: AnswerPlace(path: path, bucketStart: start))
        do throws(SourceFailure) { return .success(try rows(start, try place.list("results"))) } catch {
            return .failure(error)
        }
    }
}
