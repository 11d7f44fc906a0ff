import EventLog
import FinOps

extension ProjectionFold {
    func apply(_ event: WireBillRecorded, _ context: ProjectedEvent) throws {
        try store(event.row, observed: event.observed, context)
    }

    func apply(_ event: WireBillRestated, _ context: ProjectedEvent) throws {
        try store(event.row, observed: event.observed, context)
        try storeRestatement(event, context)
    }

    private func store(_ row: WireBillRow, observed: Int64, _ context: ProjectedEvent) throws {
        guard let currency = Currency(row.amount.currency) else { throw Inapplicable("the amount has no currency") }
        guard (0..<CellID.bucketLimit).contains(row.bucketStart), row.bucketEnd > row.bucketStart else {
            throw Inapplicable("the bucket \(row.bucketStart)..<\(row.bucketEnd) is not one")
        }
        let identity: [SQLValue] = [
            .text(row.account), .integer(row.bucketStart), .text(row.provider),
            SQLValue(row.hasProjectID ? row.projectID : nil), SQLValue(row.hasLineItem ? row.lineItem : nil),
            SQLValue(row.hasApiKeyID ? row.apiKeyID : nil),
        ]
        let known = try statement(
            """
            SELECT id FROM bill_rows WHERE account = ? AND bucket_start = ? AND provider = ? AND provider_project IS ?
            AND line_item IS ? AND api_key IS ?
            """
        ).rows(identity) { $0.integer(0) }.first
        let changing: [SQLValue] = [
            .integer(row.bucketEnd), .integer(row.amount.nanos), .text(currency.code),
            .text(row.amountTexts.joined(separator: " ")), SQLValue(row.hasQuantityText ? row.quantityText : nil),
            SQLValue(row.hasQuantityUnit ? row.quantityUnit : nil), SQLValue(row.withdrawn), .integer(observed),
            .integer(Int64(context.position)),
        ]
        let write =
            if known == nil {
                try statement(
                    """
                    INSERT INTO bill_rows(account, bucket_start, provider, provider_project, line_item, api_key, bucket_end,
                    amount, currency, amount_texts, quantity, quantity_unit, withdrawn, observed, position)
                    VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
                    """)
            } else {
                try statement(
                    """
                    UPDATE bill_rows SET bucket_end = ?, amount = ?, currency = ?, amount_texts = ?, quantity = ?,
                    quantity_unit = ?, withdrawn = ?, observed = ?, position = ? WHERE id = ?
                    """)
            }
        write.bind(all: known.map { changing + [.integer($0)] } ?? identity + changing)
        try write.run()
        let account = try dimensions.account(provider: row.provider, name: row.account)
        note(account: account, observed: observed, bucketEnd: 0)
    }

    /// The parts replace the cells of the row's earlier allocation.
    func apply(_ event: WireBillAllocated, _ context: ProjectedEvent) throws {
        guard let day = Day(event.day) else { throw Inapplicable("\"\(event.day)\" is not a day") }
        guard let currency = Currency(event.amount.currency) else { throw Inapplicable("the amount has no currency") }
        var sum = Int128(0)
        var extent = Int128(0)
        for part in event.parts {
            guard (0..<CellID.bucketLimit).contains(part.hour) else {
                throw Inapplicable("hour \(part.hour) is not one")
            }
            sum += Int128(part.nanos)
            extent += Int128(part.nanos.magnitude)
        }
        guard extent <= Int128(Int64.max) else { throw Inapplicable("its parts leave the 64-bit integers") }
        guard sum == Int128(event.amount.nanos) else {
            throw Inapplicable(
                "its parts sum to \(NanoText.text(sum)), not \(NanoText.text(Int128(event.amount.nanos)))")
        }
        let account = try dimensions.account(provider: event.provider, name: event.account)
        let known = try earlierAllocation(event, day: day)
        for id in known?.cells ?? [] { try withdraw(id) }
        let cells = try addParts(event, account: account, currency: currency, context)
        try storeAllocation(event, day: day, cells: cells, replacing: known?.id, context)
    }

    private func earlierAllocation(_ event: WireBillAllocated, day: Day) throws -> (id: Int64, cells: [Int64])? {
        try statement(
            """
            SELECT id, cells FROM allocations WHERE account = ? AND utc_day = ? AND provider = ?
            AND provider_project IS ? AND line_item IS ? AND api_key IS ?
            """
        ).rows(identity(event, day)) { ($0.integer(0), integers($0.blob(1))) }.first
    }

    private func identity(_ event: WireBillAllocated, _ day: Day) -> [SQLValue] {
        [
            .text(event.account), SQLValue(day.number), .text(event.provider),
            SQLValue(event.hasProjectID ? event.projectID : nil), SQLValue(event.hasLineItem ? event.lineItem : nil),
            SQLValue(event.hasApiKeyID ? event.apiKeyID : nil),
        ]
    }

    private func withdraw(_ id: Int64) throws {
        guard let cell = try cells.cell(id) else { return }
        try withdraw(cell, of: dimensions.series[Int(CellID.series(id) - 1)])
        try cells.remove(id)
    }

    private func addParts(
        _ event: WireBillAllocated, account: Int64, currency: Currency, _ context: ProjectedEvent
    ) throws -> [Int64] {
        let scope = try dimensions.scope(account: account, providerProject: event.hasProjectID ? event.projectID : nil)
        // A bill's buckets are hours once they are spread.
        let terms = try self.terms.number(
            of: Terms(currency: try dimensions.label(currency.code), length: 3_600, flags: .allocated))
        var amounts: [Int64: Int64] = [:]
        for part in event.parts {
            let kind = part.hasModel ? dimensions.kind(ofModel: part.model, account: account) : nil
            let series = try dimensions.series(SeriesKey(billed: event, part: part, scope: scope, kind: kind))
            amounts[CellID.make(bucket: part.hour, series: series), default: 0] += part.nanos
        }
        for (id, amount) in amounts.sorted(by: { $0.key < $1.key }) {
            let cell = Cell(
                id: id, day: days.day(of: CellID.bucket(id)), cost: amount, terms: terms,
                position: Int64(context.position), observed: context.recorded.seconds)
            _ = try cells.insert(cell)
            let series = dimensions.series[Int(CellID.series(id) - 1)]
            try add(cell, to: series)
            contest(cell, of: series)
        }
        return amounts.keys.sorted()
    }

    private func storeAllocation(
        _ event: WireBillAllocated, day: Day, cells: [Int64], replacing known: Int64?, _ context: ProjectedEvent
    ) throws {
        let changing: [SQLValue] = [
            .integer(event.amount.nanos), .text(event.amount.currency), .text(event.rule),
            .integer(Int64(context.position)),
            .blob(cells.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }),
        ]
        let write =
            if known == nil {
                try statement(
                    """
                    INSERT INTO allocations(account, utc_day, provider, provider_project, line_item, api_key, amount,
                    currency, rule, position, cells) VALUES (?,?,?,?,?,?,?,?,?,?,?)
                    """)
            } else {
                try statement(
                    "UPDATE allocations SET amount = ?, currency = ?, rule = ?, position = ?, cells = ? WHERE id = ?")
            }
        write.bind(all: known.map { changing + [.integer($0)] } ?? identity(event, day) + changing)
        try write.run()
    }

    func setForce(
        _ value: Bool, _ provider: String, _ account: String, _ project: String?, _ dayText: String,
        _ context: ProjectedEvent
    ) throws {
        guard let day = Day(dayText) else { throw Inapplicable("\"\(dayText)\" is not a day") }
        let account = try dimensions.account(provider: provider, name: account)
        let scope = try dimensions.scope(account: account, providerProject: project)
        let key = Dimensions.ForceKey(scope: scope, utcDay: Int64(day.number))
        guard dimensions.forces.contains(key) != value else { return }
        try rollups.flush()
        try rollups.flip(key, to: value)
        if value {
            try run(
                "INSERT INTO in_force VALUES (?,?,?)", .integer(scope), SQLValue(day.number),
                .integer(Int64(context.position)))
        } else {
            try run("DELETE FROM in_force WHERE scope = ? AND utc_day = ?", .integer(scope), SQLValue(day.number))
        }
    }
}

private func integers(_ bytes: [UInt8]) -> [Int64] {
    stride(from: 0, to: bytes.count - bytes.count % 8, by: 8).map { at in
        bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: Int64.self)) }
    }
}
