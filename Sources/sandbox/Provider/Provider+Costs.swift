import JSON

/// A line of the bill: what one group of charges comes to.
struct BillLine: Sendable {
    let project: String?
    let apiKey: String?
    let lineItem: String?
    /// Pico-dollars.
    var pico: Int128 = 0
    var quantity: Int64 = 0
    var unit: String?
}

extension Provider {
    /// The bill of a UTC day reconciles with its usage × price but for what only the provider knows: the unlisted
    /// model's calls, web searches, and one credit of 0.25 USD on the week's Thursday, for no project and no key.
    func costs(_ query: PageQuery, now: Int64, twist: Twist?) -> ProviderAnswer {
        page(query, twist: twist) { day in
            var lines = bill(day, groupBy: query.groupBy, now: now, filters: query)
            if twist == .credit {
                lines.append(BillLine(project: nil, apiKey: nil, lineItem: "credit", pico: -1 * 1_000_000_007))
            }
            return lines.map { costRow($0, currency: twist == .currency ? "eur" : "usd") }
        }
    }

    /// The bill's lines, sorted. The last stated amounts are those of a `now` far enough away.
    func bill(_ day: Range<Int64>, groupBy: [Dimension], now: Int64, filters: PageQuery? = nil) -> [BillLine] {
        var lines: [[String?]: BillLine] = [:]
        func add(_ charge: Charge, project: String?, apiKey: String?) {
            let project = groupBy.contains(.project) ? project : nil
            let apiKey = groupBy.contains(.apiKey) ? apiKey : nil
            let lineItem = groupBy.contains(.lineItem) ? charge.lineItem : nil
            let fresh = BillLine(project: project, apiKey: apiKey, lineItem: lineItem, unit: charge.unit)
            var line = lines[[project, apiKey, lineItem], default: fresh]
            line.pico += Int128(charge.pico)
            line.quantity += charge.quantity
            if line.unit != charge.unit { line.unit = nil }
            lines[[project, apiKey, lineItem]] = line
        }
        for entry in entries(from: day.lowerBound, to: day.upperBound)
        where isVisible(entry, after: costsDelay, at: now) {
            for charge in entry.charges {
                var dimensions = entry.dimensions
                dimensions[.lineItem] = .string(charge.lineItem)
                guard filters?.admits(dimensions) ?? true else { continue }
                add(charge, project: entry.dimensions[.project]?.string, apiKey: entry.dimensions[.apiKey]?.string)
            }
        }
        if day.contains(creditTime), creditTime + costsDelay <= now, filters?.filters.isEmpty ?? true {
            add(Self.credit, project: nil, apiKey: nil)
        }
        return lines.sorted { order($0.key).lexicographicallyPrecedes(order($1.key)) }.map(\.value)
    }

    private func order(_ key: [String?]) -> [String] { key.map { $0 ?? "\u{10FFFF}" } }

    static let credit = Charge(
        lineItem: "promotional credit", quantity: 1, unit: nil, pico: -250_000_000_000, isListed: false)
    private var creditTime: Int64 { week.start + Week.zoneOffset + 3 * 86_400 }

    /// As live answers have it: an amount is text with 36 decimals, and nothing is `0E-6176`.
    private func costRow(_ line: BillLine, currency: String) -> JSONValue {
        [
            "object": "organization.costs.result",
            "amount": ["value": .string(Self.amountText(line.pico)), "currency": .string(currency)],
            "line_item": JSONValue(line.lineItem), "project_id": JSONValue(line.project),
            "api_key_id": JSONValue(line.apiKey), "quantity": .number("\(line.quantity).0"),
            "quantity_unit": JSONValue(line.unit), "organization_id": "org-sandbox",
        ]
    }

    static func amountText(_ pico: Int128) -> String {
        guard pico != 0 else { return "0E-6176" }
        let digits = String(pico.magnitude)
        let padded = String(repeating: "0", count: max(0, 13 - digits.count)) + digits
        return (pico < 0 ? "-" : "") + padded.dropLast(12) + "." + padded.suffix(12) + String(repeating: "0", count: 24)
    }
}
