import Foundation

/// The week's totals, computed straight from the trace by a second reading of the sandbox's rule: nothing of the
/// pipeline and nothing of the sandbox takes part.
struct Oracle {
    /// What one call comes to.
    private struct Call {
        let hour: Int
        let key, providerProject, model: String
        let batch: Bool
        let tier: String
        let input, cached, output: Int
        let isLate: Bool
    }

    struct Totals: Equatable {
        var nanos = 0
        var input = 0
        var cached = 0
        var output = 0
        var requests = 0
    }

    enum By { case team, project, key, model, day, providerProject }

    private let calls: [Call]

    static let teams = ["커머스", "고객지원", "데이터"]
    static let projects = [
        ("storefront", "커머스"), ("catalogue", "커머스"), ("helpdesk", "고객지원"), ("insights", "고객지원"),
        ("warehouse", "데이터"),
    ]
    static let projectMappings = [
        ("proj_storefront", "storefront"), ("proj_catalogue", "catalogue"), ("proj_support", "helpdesk"),
        ("proj_analytics", "warehouse"),
    ]
    /// A key's own mapping wins over its provider project's.
    static let keyMappings = [("key_analytics_reports", "insights")]

    static func project(ofKey key: String, in providerProject: String) -> String? {
        keyMappings.first { $0.0 == key }?.1 ?? projectMappings.first { $0.0 == providerProject }?.1
    }

    static func team(of project: String?) -> String? { projects.first { $0.0 == project }?.1 }

    /// Pico-dollars a token: input, cached input, output. Missing: no price list knows it.
    private static let prices: [String: [Int]] = [
        "gpt-4o-mini-2024-07-18": [150_000, 75_000, 600_000],
        "gpt-4o-mini-2024-07-18 batch": [75_000, 75_000, 300_000],
        "gpt-4.1-2025-04-14": [2_000_000, 500_000, 8_000_000], "gpt-5-2025-08-07": [1_250_000, 125_000, 10_000_000],
        "gpt-5-mini-2025-08-07": [250_000, 25_000, 2_000_000],
        "gpt-5-mini-2025-08-07 flex": [125_000, 12_500, 1_000_000],
        "text-embedding-3-small": [20_000, 20_000, 0],
    ]

    /// - Throws: if the trace cannot be read.
    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/CSandboxTrace/azure-llm-conv-2023.csv")
        let lines = try String(contentsOf: file, encoding: .utf8).split(whereSeparator: \.isNewline).dropFirst()
        let tokens = lines.map { line in line.split(separator: ",").dropFirst().compactMap { Int($0) } }
        var hours: [Int] = []
        for hour in 0..<168 { hours += Array(repeating: hour, count: Self.weight(hour)) }
        calls = tokens.enumerated().map { index, tokens in
            Self.call(index, context: tokens[0], generated: tokens[1], hour: hours[index * hours.count / lines.count])
        }
    }

    private static func weight(_ hour: Int) -> Int {
        let weekday = [1, 1, 1, 1, 1, 1, 1, 3, 3, 8, 8, 8, 5, 9, 9, 9, 9, 9, 4, 4, 4, 2, 2, 2]
        let weekend = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]
        return (hour / 24 < 5 ? weekday : weekend)[hour % 24]
    }

    private static func call(_ index: Int, context: Int, generated: Int, hour: Int) -> Call {
        let (key, project, model, tier) =
            switch index % 500 == 499 ? -1 : index % 20 {
            case -1: ("key_lab_experiments", "proj_lab", "orion-preview", "default")
            case 0..<4: ("key_storefront_web", "proj_storefront", "gpt-4o-mini-2024-07-18", "default")
            case 4, 5: ("key_storefront_app", "proj_storefront", "gpt-4o-mini-2024-07-18", "default")
            case 6: ("key_storefront_app", "proj_storefront", "gpt-4.1-2025-04-14", "default")
            case 7..<10: ("key_catalogue_index", "proj_catalogue", "text-embedding-3-small", "default")
            case 10..<14: ("key_support_chat", "proj_support", "gpt-5-2025-08-07", "default")
            case 14, 15: ("key_support_digest", "proj_support", "gpt-4o-mini-2024-07-18", "batch")
            case 16: ("key_analytics_reports", "proj_analytics", "gpt-4.1-2025-04-14", "default")
            case 17, 18: ("key_analytics_nightly", "proj_analytics", "gpt-5-mini-2025-08-07", "flex")
            default: ("key_lab_experiments", "proj_lab", "gpt-5-mini-2025-08-07", "default")
            }
        let caches = model.hasPrefix("gpt-5") && context >= 1_024
        return Call(
            hour: hour, key: key, providerProject: project, model: model, batch: tier == "batch",
            tier: tier == "flex" ? "flex" : "default", input: context, cached: caches ? context / 256 * 128 : 0,
            output: model.hasPrefix("text-embedding") ? 0 : generated,
            isLate: (58...61).contains(hour) && index / 20 % 2 == 1)
    }

    /// Totals of the days (0 Monday … 6 Sunday), by the dimensions asked for; nil is what no mapping claims.
    func totals(by: [By], days: ClosedRange<Int> = 0...6, withoutLate: Bool = false) -> [[String?]: Totals] {
        var rows: [[String]: [Call]] = [:]
        for call in calls where days.contains(call.hour / 24) && !(withoutLate && call.isLate) {
            rows[["\(call.hour)", call.key, call.model, "\(call.batch)", call.tier], default: []].append(call)
        }
        var totals: [[String?]: Totals] = [:]
        for row in rows.values {
            let project = Self.project(ofKey: row[0].key, in: row[0].providerProject)
            let group = by.map { by -> String? in
                switch by {
                case .team: Self.team(of: project)
                case .project: project
                case .key: row[0].key
                case .model: row[0].model
                case .day: "2026-11-" + ["09", "10", "11", "12", "13", "14", "15"][row[0].hour / 24]
                case .providerProject: row[0].providerProject
                }
            }
            Self.add(row, to: &totals[group, default: Totals()])
        }
        return totals
    }

    private static func add(_ row: [Call], to totals: inout Totals) {
        let suffix = row[0].batch ? " batch" : row[0].tier == "flex" ? " flex" : ""
        let sum = row.reduce(into: (0, 0, 0)) {
            $0.0 += $1.input
            $0.1 += $1.cached
            $0.2 += $1.output
        }
        if let price = prices[row[0].model + suffix] {
            let pico = (sum.0 - sum.1) * price[0] + sum.1 * price[1] + sum.2 * price[2]
            let rest = pico % 1_000
            let isUp = rest > 500 || rest == 500 && (pico / 1_000) % 2 == 1
            totals.nanos += pico / 1_000 + (isUp ? 1 : 0)
        }
        totals.input += sum.0
        totals.cached += sum.1
        totals.output += sum.2
        totals.requests += row.count
    }
}
