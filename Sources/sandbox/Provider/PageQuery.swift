import Foundation

/// The part that usage and costs share of a request: which buckets, how grouped and filtered, and which page of them.
struct PageQuery: Sendable {
    let start: Int64
    let end: Int64
    /// Seconds a bucket is wide.
    let width: Int64
    /// Buckets a page has.
    let limit: Int
    let groupBy: [Dimension]
    let filters: [Dimension: Set<String>]
    /// Where this page's first bucket begins.
    let first: Int64
    private let digest: UInt64

    /// What an endpoint allows.
    struct Rules: Sendable {
        /// By the width's name: its seconds, the default of `limit` and its greatest value.
        let widths: [String: (seconds: Int64, limit: Int, greatest: Int)]
        let groupings: [Dimension]
        let filters: [Dimension]

        static func usage(_ kind: UsageKind) -> Rules {
            Rules(
                widths: ["1m": (60, 60, 1_440), "1h": (3_600, 24, 168), "1d": (86_400, 7, 31)],
                groupings: kind.dimensions, filters: kind.dimensions)
        }

        static let costs = Rules(
            widths: ["1d": (86_400, 7, 180)], groupings: [.project, .lineItem, .apiKey],
            filters: [.project, .lineItem, .apiKey])
    }

    /// - Parameters:
    ///   - parameters: decoded names and values; a list is a repeated name, with or without `[]`.
    ///   - now: the default of `end_time`.
    ///   - most: buckets a page has at most, whatever was asked for.
    /// - Throws: a 400 as the provider words it.
    init(
        path: String, parameters: [(name: String, value: String)], rules: Rules, now: Int64, most: Int = .max
    ) throws(ProviderRefusal) {
        func last(_ name: String) -> String? { parameters.last { $0.name == name }?.value }
        func list(_ name: String) -> [String] {
            parameters.filter { $0.name == name || $0.name == name + "[]" }.map(\.value)
        }
        guard let startText = last("start_time") else {
            throw .badParameter("start_time", "Missing required parameter: 'start_time'.")
        }
        let start = try Self.integer("start_time", startText, in: 0...253_402_300_799)
        var end = try last("end_time").map { text throws(ProviderRefusal) in
            try Self.integer("end_time", text, in: 0...253_402_300_799)
        }
        let name = last("bucket_width") ?? "1d"
        guard let width = rules.widths[name] else {
            throw .badParameter("bucket_width", "Invalid value: '\(name)'.")
        }
        self.width = width.seconds
        let asked =
            try last("limit").map { text throws(ProviderRefusal) in
                Int(try Self.integer("limit", text, in: 1...Int64(width.greatest)))
            } ?? width.limit
        limit = min(asked, most)
        var groupBy: [Dimension] = []
        for text in list("group_by") {
            guard let dimension = Dimension(rawValue: text), rules.groupings.contains(dimension) else {
                throw .badParameter("group_by", "Invalid value: '\(text)'.")
            }
            groupBy.append(dimension)
        }
        self.groupBy = groupBy
        filters = Dictionary(
            uniqueKeysWithValues: rules.filters.compactMap { dimension in
                let values = dimension.filterName.map(list) ?? []
                return values.isEmpty ? nil : (dimension, Set(values))
            })
        digest = Self.digest(of: path, parameters.filter { $0.name != "page" })
        self.start = start / width.seconds * width.seconds
        var first = self.start
        if let page = last("page") {
            guard let token = Self.read(page), token.digest == digest else {
                throw .badParameter("page", "Invalid page token.")
            }
            (first, end) = (token.first, end ?? token.end)
        }
        self.first = first
        self.end = end ?? now
        guard self.end > start else { throw .badParameter("end_time", "'end_time' must be after 'start_time'.") }
    }

    /// The starts of this page's buckets.
    var buckets: [Int64] { Array(stride(from: first, to: end, by: Int64.Stride(width)).prefix(limit)) }

    /// The token of the page that begins `pages` pages after this one; nil when there is none.
    func token(pagesOn pages: Int = 1) -> String? {
        let next = first + Int64(pages * limit) * width
        guard next < end else { return nil }
        return "page_" + Data("\(next)|\(end)|\(digest)".utf8).base64EncodedString()
    }

    private static func read(_ token: String) -> (first: Int64, end: Int64, digest: UInt64)? {
        guard token.hasPrefix("page_"), let data = Data(base64Encoded: String(token.dropFirst(5))) else { return nil }
        let parts = String(decoding: data, as: UTF8.self).split(separator: "|")
        guard parts.count == 3, let first = Int64(parts[0]), let end = Int64(parts[1]), let digest = UInt64(parts[2])
        else { return nil }
        return (first, end, digest)
    }

    private static func integer(
        _ name: String, _ text: String, in range: ClosedRange<Int64>
    ) throws(ProviderRefusal) -> Int64 {
        guard let value = Int64(text), range.contains(value) else {
            throw .badParameter(name, "Invalid value: '\(text)'. Expected an integer in \(range).")
        }
        return value
    }

    /// FNV-1a: a token is only good for the request it came from.
    private static func digest(of path: String, _ parameters: [(name: String, value: String)]) -> UInt64 {
        let text = path + parameters.map { "\n\($0.name)=\($0.value)" }.sorted().joined()
        return text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
