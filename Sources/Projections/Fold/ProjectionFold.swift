import CSQLite
import EventLog
import FinOps

/// The function from events to writes. One for each open generation; it lives inside the writer's transactions.
/// An event that cannot be applied throws `Inapplicable` before anything of it is written.
final class ProjectionFold {
    let dimensions: Dimensions
    let rollups: Rollups
    let cells: CellTable
    let terms: TermsTable
    let calls: CallTable
    let standings: StandingTable
    var estimates = Estimates()
    /// When each gateway was heard of, in microseconds.
    var heard: [String: ClosedRange<Int64>] = [:]
    /// Hours to settle at the end of the transaction.
    var contested: [ContestedHour: ContestedHour.Cause] = [:]
    var days: BusinessDays
    private(set) var unknownEvents: Int64 = 0
    /// What was newest in each account's usage and bills: the freshness of what the provider has published.
    var freshness: [Int64: (observed: Int64, bucketEnd: Int64)] = [:]
    private var caches: UsageCaches
    private let connection: OpaquePointer
    private var statements: [String: Statement] = [:]

    /// - Parameter connection: of a generation whose tables exist; it outlives the fold.
    init(_ connection: OpaquePointer, calendar: BusinessCalendar, unknownEvents: Int64) throws(ProjectionFailure) {
        self.connection = connection
        self.unknownEvents = unknownEvents
        dimensions = try Dimensions(connection)
        rollups = try Rollups(connection, dimensions)
        cells = try CellTable(connection)
        terms = try TermsTable(connection)
        calls = try CallTable(connection)
        standings = try StandingTable(connection)
        days = BusinessDays(calendar: calendar)
        caches = UsageCaches(calendar: calendar)
    }

    /// Lends the caches to a run of events: a local value is changed without the checks that a property of a class has.
    func withCaches<Outcome>(_ body: (inout UsageCaches) throws -> Outcome) rethrows -> Outcome {
        var lent = UsageCaches(calendar: days.calendar)
        swap(&lent, &caches)
        defer { swap(&lent, &caches) }
        return try body(&lent)
    }

    /// - Parameter caches: those that `withCaches` lends.
    /// - Throws: `Inapplicable`, or `ProjectionFailure` after which the generation must be opened anew.
    func apply(_ event: ProjectedEvent, _ caches: inout UsageCaches) throws {
        switch event.content {
        case .usage(let statement): try apply(statement, event, &caches)
        case .restatedUsage(let statement, let message):
            try apply(statement, event, &caches)
            try apply(message, event)
        case .repricedUsage(let statement, let message):
            try apply(statement, event, &caches)
            try apply(message, event)
        case .other(let message):
            try apply(message, event)
            try noteKill(message, event)
        case .unknown: unknownEvents += 1
        case .undecodable(let reason): throw Inapplicable(reason)
        }
    }

    /// Writes the sums that have gathered; called at the end of a transaction.
    func flush() throws(ProjectionFailure) {
        try cells.flush()
        try writeEstimates()
        try settle()
        try rollups.flush()
        for (account, newest) in freshness {
            try run(
                "UPDATE account SET observed = max(observed, ?), bucket_end = max(bucket_end, ?) WHERE id = ?",
                .integer(newest.observed), .integer(newest.bucketEnd), .integer(account))
        }
        freshness.removeAll(keepingCapacity: true)
        try writeHeard()
    }

    /// A statement by its text, prepared once.
    func statement(_ sql: String) throws(ProjectionFailure) -> Statement {
        if let known = statements[sql] { return known }
        let statement = try Statement(connection, sql)
        statements[sql] = statement
        return statement
    }

    func run(_ sql: String, _ values: SQLValue...) throws(ProjectionFailure) {
        let statement = try statement(sql)
        statement.bind(all: values)
        try statement.run()
    }

    private func apply(_ event: FinOpsEvent, _ context: ProjectedEvent) throws {
        switch event {
        case .usageRecorded, .usageRestated, .usageRepriced:
            preconditionFailure("statements about usage come as facts")
        case .modelUnpriced(let message): try apply(message, context)
        case .billRecorded(let message): try apply(message, context)
        case .billRestated(let message): try apply(message, context)
        case .billAllocated(let message): try apply(message, context)
        case .billTookForce(let message):
            try setForce(
                true, message.provider, message.account, message.hasProjectID ? message.projectID : nil, message.day,
                context)
        case .billLeftForce(let message):
            try setForce(
                false, message.provider, message.account, message.hasProjectID ? message.projectID : nil, message.day,
                context)
        case .teamAdded(let message): try apply(message, context)
        case .projectAdded(let message): try apply(message, context)
        case .projectMoved(let message): try apply(message, context)
        case .connectionMade(let message): try apply(message, context)
        case .connectionRemoved(let message): try apply(message, context)
        case .keyMapped(let message): try apply(message, context)
        case .providerProjectMapped(let message): try apply(message, context)
        case .attributionAssigned(let message): try apply(message, context)
        case .priceChanged(let message): try apply(message, context)
        case .priceDefaultsChanged(let message): try apply(message, context)
        case .priceChangeProposed(let message): try apply(message, context)
        case .priceChangeApproved(let message): try audit(context, message.id, "", message.reason)
        case .priceChangeRejected(let message): try audit(context, message.id, "", message.reason)
        case .priceCorrectionStarted(let message): try apply(message, context)
        case .priceCorrectionAdvanced(let message): try apply(message, context)
        case .runStarted(let message): try apply(message, context)
        case .runFinished(let message): try apply(message, context)
        case .runFailed(let message): try apply(message, context)
        case .processingFailed(let message): try apply(message, context)
        case .processingRetried(let message): try apply(message, context)
        case .processingSkipped(let message): try apply(message, context)
        case .stageReady(let message): try apply(message, context)
        case .stageExited(let message): try apply(message, context)
        case .secretStored(let message): try apply(message, context)
        case .secretRewrapped(let message): try apply(message, context)
        case .secretRemoved(let message): try apply(message, context)
        case .personForgotten(let message): try apply(message, context)
        case .secretUsed(let message): try apply(message, context)
        case .thresholdSet(let message): try apply(message, context)
        case .thresholdRemoved(let message): try apply(message, context)
        case .thresholdCrossed(let message): try apply(message, context)
        case .thresholdCleared(let message): try apply(message, context)
        case .alertAcknowledged(let message): try apply(message, context)
        case .alertSnoozed(let message): try apply(message, context)
        case .conditionRaised(let message): try apply(message, context)
        case .conditionEnded(let message): try apply(message, context)
        case .channelSet(let message): try apply(message, context)
        case .channelRemoved(let message): try apply(message, context)
        case .channelScheduleSet(let message): try apply(message, context)
        case .notificationQueued(let message): try apply(message, context)
        case .notificationStarted(let message): try apply(message, context)
        case .notificationDelivered(let message): try apply(message, context)
        case .notificationFailed(let message): try apply(message, context)
        case .notificationAbandoned(let message): try apply(message, context)
        case .notificationRetried(let message): try apply(message, context)
        case .notificationSkipped(let message): try apply(message, context)
        case .notificationDropped(let message): try apply(message, context)
        case .upstreamSet(let message): try apply(message, context)
        case .upstreamRemoved(let message): try apply(message, context)
        case .keyIssued(let message): try apply(message, context)
        case .keyRotated(let message): try apply(message, context)
        case .keyDisabled(let message): try apply(message, context)
        case .keyReactivationRequested(let message): try apply(message, context)
        case .keyReactivated(let message): try apply(message, context)
        case .keyDisablementEnforced(let message): try apply(message, context)
        case .callRecorded(let message): try apply(message, context)
        case .callRepriced(let message): try apply(message, context)
        case .provisionStarted(let message): try apply(message, context)
        case .provisionProjectMade(let message): try apply(message, context)
        case .provisionAccountMade(let message): try apply(message, context)
        case .provisionAccountDeleted(let message): try apply(message, context)
        case .provisionWithdrawalStarted(let message): try apply(message, context)
        case .provisionWithdrawn(let message): try apply(message, context)
        case .keyEmergencyStepStarted(let message): try apply(message, context)
        case .keyEmergencyStepEnded(let message): try apply(message, context)
        case .budgetLeased, .keyPaceJoined, .keyPaceGiven: break
        }
    }

    // MARK: Cells

    func key(of cell: Cell, series: Dimensions.Series, yields: Bool = false) -> Rollups.Key {
        let bucket = CellID.bucket(cell.id)
        return Rollups.Key(
            series: series.id, day: Int32(cell.day), utcDay: Int32(bucket / 86_400),
            owner: Int32(series.timeline.owner(at: bucket)), currency: Int32(terms.currency(of: cell.terms)),
            yields: yields)
    }

    func add(_ cell: Cell, sign: Int64 = 1, to series: Dimensions.Series) throws(ProjectionFailure) {
        try rollups.add(cell.sums(basis: series.key.basis), sign: sign, to: key(of: cell, series: series))
    }

    private func apply(_ usage: UsageStatement, _ event: ProjectedEvent, _ caches: inout UsageCaches) throws {
        let (begin, end) = (usage.fact.bucketStart, usage.fact.bucketEnd)
        guard begin >= 0, end > begin, end < CellID.bucketLimit else {
            throw Inapplicable("the bucket \(begin)..<\(end) is not one")
        }
        guard usage.fact.quantities.isBelievable else { throw Inapplicable("a count is negative or above 2^50") }
        guard !usage.fact.hasCost || !usage.fact.currency.isEmpty else {
            throw Inapplicable("a cost without a currency")
        }
        // First the number, which may be new, then the list it is in.
        let number = try series(of: usage, event, &caches)
        let series = dimensions.series[Int(number - 1)]
        let cell = try cell(usage, series: number, position: event.position, &caches)
        let isRecorded = usage.fact.statement == .recorded
        try write(cell, detail: usage.fact.quantities.detail, of: series, isRecorded: isRecorded)
        try add(cell, to: series)
        contest(cell, of: series)
        if caches.isNewer(account: series.account, observed: usage.fact.observed, bucketEnd: end) {
            note(account: series.account, observed: usage.fact.observed, bucketEnd: end)
        }
    }

    /// A bucket later than every one of its series is new: it is not looked for.
    private func write(_ cell: Cell, detail: [Int64]?, of series: Dimensions.Series, isRecorded: Bool) throws {
        let bucket = CellID.bucket(cell.id)
        if bucket > series.lastMeteredBucket {
            series.lastMeteredBucket = bucket
            return try cells.append(cell, detail: detail)
        }
        if isRecorded, try cells.insert(cell, detail: detail) { return }
        if let old = try cells.cell(cell.id) { try withdraw(old, of: series) }
        try cells.replace(cell, detail: detail)
    }

    func note(account: Int64, observed: Int64, bucketEnd: Int64) {
        let known = freshness[account] ?? (0, 0)
        freshness[account] = (max(known.observed, observed), max(known.bucketEnd, bucketEnd))
    }

    private func cell(
        _ usage: UsageStatement, series: Int64, position: UInt64, _ caches: inout UsageCaches
    ) throws -> Cell {
        let terms = Terms(
            currency: usage.fact.hasCost
                ? try caches.currencies.label(usage, usage.fact.currency, orElse: dimensions.label) : 0,
            length: usage.fact.bucketEnd - usage.fact.bucketStart,
            priceVersion: try caches.priceVersions.label(usage, usage.fact.priceVersion, orElse: dimensions.label),
            unpricedReason: try caches.reasons.label(usage, usage.fact.unpricedReason, orElse: dimensions.label),
            flags: usage.fact.flags)
        return Cell(
            id: CellID.make(bucket: usage.fact.bucketStart, series: series),
            day: caches.days.day(of: usage.fact.bucketStart),
            requests: usage.fact.quantities.requests, inputTokens: usage.fact.quantities.inputTokens,
            cachedInputTokens: usage.fact.quantities.cachedInputTokens,
            outputTokens: usage.fact.quantities.outputTokens,
            cost: usage.fact.hasCost ? usage.fact.costNanos : nil, terms: try caches.number(of: terms, self.terms),
            position: Int64(position), observed: usage.fact.observed)
    }

    private func series(of usage: UsageStatement, _ event: ProjectedEvent, _ caches: inout UsageCaches) throws -> Int64
    {
        if let known = caches.identities.series(of: usage) { return known }
        let row = try row(of: usage.fact, event)
        guard !row.provider.isEmpty, !row.account.isEmpty else { throw Inapplicable("no provider or account") }
        let account = try dimensions.account(provider: row.provider, name: row.account)
        let scope = try dimensions.scope(account: account, providerProject: row.hasProjectID ? row.projectID : nil)
        let id = try dimensions.series(SeriesKey(metered: row, scope: scope))
        caches.identities.remember(usage.fact, series: id)
        return id
    }

    /// The whole message by the generated code, which also refuses texts that are not UTF-8.
    private func row(of fact: UsageFact, _ event: ProjectedEvent) throws -> WireUsageRow {
        let envelope = NewEvent(id: .none, type: event.type, occurred: event.recorded, payload: fact.payload)
        do {
            switch try EventCatalogue.decode(envelope) {
            case .usageRecorded(let message): return message.row
            case .usageRestated(let message): return message.row
            case .usageRepriced(let message): return message.row
            default: throw Inapplicable("it is not about usage")
            }
        } catch let error as UndecodableEvent {
            throw Inapplicable(error.reason)
        }
    }
}
