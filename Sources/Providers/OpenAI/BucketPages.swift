import FinOps

/// What an answer says about one bucket: its rows, or why they make no sense.
typealias BucketContent<Row> = Result<[Row], SourceFailure>

/// A page of buckets as it came, its places checked.
struct BucketPage<Row: Hashable & Sendable>: Sendable {
    var buckets: [(start: Int64, content: BucketContent<Row>)]
    var hasMore: Bool
    var nextPage: String?
}

/// The pages of one walk put together, with protection against a server that loops, repeats, skips or changes its mind
/// on the way. Pure: it says what to ask next.
struct BucketPages<Row: Hashable & Sendable>: Sendable {
    enum Step: Hashable, Sendable {
        case ask(page: String)
        case end
        /// Begin again from the first page.
        case restart(reason: String)
    }

    private(set) var buckets: [Int64: BucketContent<Row>] = [:]
    /// Buckets that nobody asked for; they are left out.
    private(set) var strays = 0
    private let range: Range<Int64>
    private let width: Int64
    private let pagesLimit: Int
    private var pages = 0
    private var tokens: Set<String> = []

    /// - Parameters:
    ///   - range: Unix seconds; `lowerBound` is the beginning of a bucket.
    ///   - width: seconds of a bucket.
    init(range: Range<Int64>, width: Int64) {
        self.range = range
        self.width = width
        // A page has at least one bucket; twice as many pages leave room for repeats.
        pagesLimit = 2 * Int((range.upperBound - range.lowerBound) / width + 1) + 8
    }

    mutating func take(_ page: BucketPage<Row>) -> Step {
        for bucket in page.buckets {
            if let reason = add(bucket.content, at: bucket.start) { return .restart(reason: reason) }
        }
        pages += 1
        guard page.hasMore else { return .end }
        guard let next = page.nextPage, !next.isEmpty else {
            return .restart(reason: "the answer says that more pages follow but not where")
        }
        guard tokens.insert(next).inserted else { return .restart(reason: "the pages run in a circle") }
        guard pages < pagesLimit else { return .restart(reason: "there are more than \(pagesLimit) pages") }
        return .ask(page: next)
    }

    /// Forgets page tokens, so that missing buckets can be asked for in a walk of their own.
    mutating func beginAnotherWalk() {
        tokens = []
        pages = 0
    }

    /// - Returns: why the walk cannot go on, nil if it can.
    private mutating func add(_ content: BucketContent<Row>, at start: Int64) -> String? {
        guard range.contains(start) else {
            strays += 1
            return nil
        }
        if let known = buckets[start], !Self.saySame(known, content) {
            return "the bucket \(UTCText.minute(start)) came twice with different content"
        }
        buckets[start] = content
        return nil
    }

    /// Whether two statements have the same rows, in whatever order.
    private static func saySame(_ left: BucketContent<Row>, _ right: BucketContent<Row>) -> Bool {
        if left == right { return true }
        guard case .success(let left) = left, case .success(let right) = right else { return false }
        func counts(_ rows: [Row]) -> [Row: Int] { rows.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
        return left.count == right.count && counts(left) == counts(right)
    }

    /// The spans of buckets that did not come, each as long as possible; above `mostWalks` of them, one span over all.
    func missing(mostWalks: Int) -> [Range<Int64>] {
        var spans: [Range<Int64>] = []
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Int64.Stride(width))
        where buckets[start] == nil {
            let end = min(start + width, range.upperBound)
            if spans.last?.upperBound == start {
                spans[spans.count - 1] = spans[spans.count - 1].lowerBound..<end
            } else {
                spans.append(start..<end)
            }
        }
        guard spans.count > mostWalks, let first = spans.first, let last = spans.last else { return spans }
        return [first.lowerBound..<last.upperBound]
    }
}
