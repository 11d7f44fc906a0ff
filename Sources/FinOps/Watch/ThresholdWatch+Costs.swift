package import EventLog

/// How costs come in: days as they are read from the log, and what follows on them.
extension ThresholdWatch {
    // MARK: Days

    /// Takes in a day, whole.
    /// - Parameter page: as `read` takes it.
    package mutating func insert(_ page: [FinOpsEvent], for day: Day) {
        begin(reading: day)
        for event in page { read(event) }
        endReading()
    }

    /// Begins to take in a day: what is read until `endReading` is, in the order of each stream, the day's costs up to where
    /// this fold is, and all that was ever found about the windows that begin on it. What was found may stand behind where
    /// this fold is: it is not taken in twice.
    package mutating func begin(reading day: Day) { reading = CostPage(day: day, currency: currency) }

    /// Takes in an event of the day that is being read.
    package mutating func read(_ event: FinOpsEvent) {
        _ = reading?.apply(event, &table)
        findings.evolve(event, &scopes)
    }

    /// The same for a cost as the log has it.
    /// - Precondition: `isReadable` of its type.
    /// - Throws: `WireFields.Malformed`, or what decoding throws; then nothing was taken.
    package mutating func read(raw event: NewEvent) throws {
        guard var page = reading.take() else { preconditionFailure("a day is begun before it is read") }
        defer { reading = page }
        _ = try fold(event.type, event.schema, event.payload, into: &page) { event }
    }

    package mutating func endReading() {
        guard var page = reading.take() else { return }
        _ = page.settle(&table)
        pages[page.day.number] = page
    }

    // MARK: What follows

    /// Folds a cost of a UTC day.
    /// - Precondition: the days that `missingDays(for:)` named have been inserted.
    package mutating func take(_ event: FinOpsEvent, of day: Day) {
        guard isArmed else { return }
        var page = open(day)
        for change in page.apply(event, &table) { add(change) }
        close(page)
    }

    /// Whether `take(raw:of:)` can read events of a type.
    package static func isReadable(_ type: EventType, schema: UInt16) -> Bool {
        UsageCost.reads(type, schema: schema) || CallCost.reads(type, schema: schema)
    }

    /// Folds a statement about usage, or a call, of a UTC day as the log has it: the same as decoding it first, in a tenth of
    /// the time.
    /// - Precondition: `isReadable` of its type; the days that `missingDays(for:)` named have been inserted.
    /// - Throws: `WireFields.Malformed`, or what decoding throws; then nothing was taken.
    package mutating func take(raw event: NewEvent, of day: Day) throws {
        guard isArmed else { return }
        var page = open(day)
        defer { close(page) }
        if let change = try fold(event.type, event.schema, event.payload, into: &page, { event }) { add(change) }
    }

    /// Folds neighbours of one UTC day as `take(raw:of:)` does each of them, without looking for their day every time.
    /// - Precondition: as there; costs of that day have been taken since anything else was folded.
    /// - Returns: the place of the first event that cannot be read; nothing of it, or of those behind it, was taken. The end
    ///   if all were.
    package mutating func take(raw events: ArraySlice<RecordedEvent>, of day: Day) -> Int {
        guard isArmed, recentDay == day.number, !events.isEmpty else { return events.startIndex }
        var page = open(day)
        defer { close(page) }
        for place in events.indices {
            // Whoever takes that event by itself is told what is wrong with it.
            do {
                // Field by field: a copy of the event would cost as much as all that is done with it.
                let change = try fold(
                    events[place].event.type, events[place].event.schema, events[place].event.payload, into: &page,
                    { events[place].event })
                if let change { add(change) }
            } catch { return place }
        }
        return events.endIndex
    }

    /// Takes a page out, so that it is changed where it lies.
    mutating func open(_ day: Day) -> CostPage {
        if recentDay != day.number { prepare(day) }
        guard let page = pages.removeValue(forKey: day.number) else {
            preconditionFailure("days are inserted before their costs are taken")
        }
        return page
    }

    mutating func close(_ page: CostPage) {
        if !page.contested.isEmpty { contested.insert(page.day.number) }
        pages[page.day.number] = page
    }

    /// - Returns: what changed of what counts; nil if nothing did.
    private mutating func fold(
        _ type: EventType, _ schema: UInt16, _ payload: [UInt8], into page: inout CostPage, _ event: () -> NewEvent
    ) throws -> CostChange? {
        if CallCost.reads(type, schema: schema) {
            let call = try CallCost(payload)
            let number = try callSeries.number(of: call.names, payload) { try Self.number(of: event(), &table) }
            let counts = payload[call.currency].elementsEqual(currencyCode)
            return page.add(call.estimate(counts: counts), series: number, table)
        }
        let usage = try UsageCost(type, schema: schema, payload)
        let number = try usageSeries.number(of: usage.names, payload) { try Self.number(of: event(), &table) }
        page.see(usage.bucketStart, usage.bucketEnd, observed: usage.observed)
        let counts = usage.nanos != 0 && payload[usage.currency].elementsEqual(currencyCode)
        return page.add(
            counts ? usage.nanos : 0, series: number, at: usage.bucketStart, isSomething: usage.isSomething, table)
    }

    private static func number(of event: NewEvent, _ table: inout SeriesTable) throws -> Int {
        switch try EventCatalogue.decode(event) {
        case .usageRecorded(let event): table.number(of: CostSeries(event.row))
        case .usageRestated(let event): table.number(of: CostSeries(event.row))
        case .usageRepriced(let event): table.number(of: CostSeries(event.row))
        case .callRecorded(let event): table.number(of: CostSeries(event))
        default: preconditionFailure("it is a statement about usage, or a call")
        }
    }
}
