import EventLog
import FinOps
import Logging

/// Takes events into the watch, commit by commit, and reads the pages that it asks for. What it finds depends on the log
/// alone, not on where batches end.
actor ThresholdEvaluation {
    /// What a commit led to.
    struct Finding: Sendable {
        /// A crossing or a clearing.
        let event: FinOpsEvent
        let stream: StreamName
        /// The last event of the commit.
        let cause: RecordedEvent
    }

    /// What some events led to.
    struct Verdict: Sendable {
        var findings: [Finding] = []
        /// Events put aside, or let go on.
        var failures: [FinOpsEvent] = []
        /// Everything up to here has been judged.
        var through: Position
    }

    /// Events of one producer and one moment, which are judged together.
    private struct Commit {
        let first: Position
        var last: RecordedEvent
        var looksAround = false

        func goesOn(at recorded: Timestamp, by producer: ProducerName) -> Bool {
            recorded == last.recorded && producer == last.producer
        }
    }

    private enum Subject {
        case costs(Day)
        case directory
        case failures
        case other
    }

    /// What it is fed with. Its own findings are none of it: it knew them before they were in the log.
    static let types: Set<EventType> = ThresholdWatch.costTypes.union([
        "threshold.set", "threshold.removed", "attribution.assigned", "project.added", "project.moved",
        "processing.retried", "processing.skipped",
    ])

    private let stage: String
    private let currency: Currency
    private let reader: any EventReader
    private let logger: Logger
    private var watch: ThresholdWatch
    private var pages: CostPages
    private var parking: ParkingLot
    private var open: Commit?
    private var verdict = Verdict(through: .start)
    /// Found, but not known to be in the log.
    private var pending: [Finding] = []
    /// In the log already, though what they answer is judged again: a crash came between the parts of a large append.
    private var foretold: Set<EventID> = []
    private var recent: (stream: StreamName, subject: Subject) = ("", .other)
    /// The UTC days that are replayed: costs of no others are looked at, and what the log says was found is no part of it.
    private var replayed: ClosedRange<Day>?

    init(stage: String, currency: Currency, reader: any EventReader, logger: Logger) {
        self.stage = stage
        self.currency = currency
        self.reader = reader
        self.logger = logger
        watch = ThresholdWatch(currency: currency)
        pages = CostPages(reader: reader)
        parking = ParkingLot(stage: stage)
    }

    var isArmed: Bool { watch.isArmed }
    var parkedCount: Int { parking.count }

    // MARK: Beginning

    /// Learns the thresholds and assignments as of a position.
    /// - Parameter head: of the log.
    /// - Returns: where to go on. While no threshold was armed nothing can be found: then it is where the first one was.
    /// - Throws: `StoreError`.
    func begin(at checkpoint: Position, head: Position) async throws -> Position {
        let statements = try await reader.readAll(prefixes: ["threshold-"])
        let armed = Self.armed(by: statements, through: checkpoint)
        // What is stated later is met on the way.
        warn(of: armed)
        let start = armed.isEmpty ? Self.firstArmed(statements, after: checkpoint, head: head) : checkpoint
        try await recallParked(through: start)
        let owners =
            try await reader.readAll(prefixes: ["assignment-"]) + (try await reader.readAll(stream: .projects))
        for event in statements + owners where event.position <= start && !parking.holds(event) {
            if let decoded = decode(event) { _ = watch.evolve(decoded, recorded: event.recorded) }
        }
        pages.learn(try await pages.accountsOfLog())
        verdict.through = start
        return start
    }

    /// Arms one threshold alone, whatever the log says, to be fed from the log's beginning with the costs of some UTC days
    /// and all assignments.
    /// - Parameter head: of the log.
    /// - Throws: `StoreError`.
    func beginReplay(of threshold: WireThresholdSet, days: ClosedRange<Day>, head: Position) async throws {
        try await recallParked(through: head)
        _ = watch.evolve(.thresholdSet(threshold), recorded: Timestamp(seconds: 0))
        pages.learn(try await pages.accountsOfLog())
        replayed = days
    }

    private func recallParked(through position: Position) async throws {
        for event in try await reader.readAll(stream: .failures(stage: stage)) {
            // An administrator's answer beyond the position is still to be acted on, not yet history.
            guard event.position <= position || event.producer.text.hasPrefix(stage) else { continue }
            if let decoded = try EventCatalogue.decode(event.event) { parking.evolve(decoded) }
        }
    }

    private static func firstArmed(_ statements: [RecordedEvent], after checkpoint: Position, head: Position)
        -> Position
    {
        let next = statements.first { $0.position > checkpoint && $0.type == "threshold.set" }
        return max(checkpoint, min(head, next.map { Position($0.position.value - 1) } ?? head))
    }

    private static func armed(by statements: [RecordedEvent], through position: Position) -> [WireThresholdSet] {
        let thresholds = ThresholdRegister.fold(
            // What cannot be decoded arms nothing.
            statements.filter { $0.position <= position }.compactMap { try? EventCatalogue.decode($0.event) })
        return thresholds.sorted { $0.key.text < $1.key.text }.map(\.value)
    }

    /// Nobody would miss a crossing that was never looked for.
    private func warn(of statements: [WireThresholdSet]) {
        for limit in statements.compactMap({ UnwatchedLimit($0, watched: currency) }) {
            logger.warning(
                "limit not watched",
                metadata: [
                    "scope": "\(limit.scope.text)", "problem": "\(limit.problem)", "remedy": "\(limit.remedy)",
                ])
        }
    }

    // MARK: Judging

    /// Takes in the next events of `types`, in the order of the log.
    /// - Parameters:
    ///   - through: everything up to here has been looked at with them.
    ///   - isAtHead: nothing after them is known; false leaves a commit open that may go on in the next events.
    /// - Throws: `StoreError`.
    func judge(_ events: [RecordedEvent], through position: Position, isAtHead: Bool) async throws -> Verdict {
        var next = events.startIndex
        while next < events.endIndex {
            try await take(events[next])
            next = takeNeighbours(in: events, after: next)
        }
        if let open, isAtHead, try await isOver(open, after: position) { try await settle(open) }
        verdict.through = open.map { Position($0.first.value - 1) } ?? position
        defer { verdict = Verdict(through: verdict.through) }
        return verdict
    }

    /// What was found so far is in the log.
    func appended() { pending = [] }

    /// A large commit arrives in pieces, though all of it is in the log before the first of them is told.
    private func isOver(_ commit: Commit, after position: Position) async throws(StoreError) -> Bool {
        try await reader.read(after: position, limit: 1, types: nil).events.first?.recorded != commit.last.recorded
    }

    private func take(_ event: RecordedEvent) async throws {
        let subject = subject(of: event.stream)
        if let commit = open, !commit.goesOn(at: event.recorded, by: event.producer) { try await settle(commit) }
        if case .costs = subject, !watch.isArmed { return }
        if open == nil { open = Commit(first: event.position, last: event) } else { open?.last = event }
        if case .failures = subject {
            try await answerAdministrator(event)
        } else if parking.isEmpty || !parking.holds(event) {
            try await apply(event, subject, before: event.position)
        }
    }

    /// Takes in what follows an event that was taken in, as far as it is usage, or calls, of the same stream and commit: most of
    /// what a log holds, and nothing has to be read for it.
    /// - Returns: the place of the first event that is something else.
    private func takeNeighbours(in events: [RecordedEvent], after place: Int) -> Int {
        let first = place + 1
        guard let commit = open, case .costs(let day) = recent.subject, recent.stream == commit.last.stream else {
            return first
        }
        var end = first
        // Field by field: a copy of the event would cost more than all of the comparing.
        while end < events.endIndex, events[end].stream == recent.stream,
            commit.goesOn(at: events[end].recorded, by: events[end].producer),
            ThresholdWatch.isReadable(events[end].event.type, schema: events[end].event.schema),
            parking.isEmpty || !parking.holds(events[end])
        {
            end += 1
        }
        let next = watch.take(raw: events[first..<end], of: day)
        if next > first { open?.last = events[next - 1] }
        return next
    }

    /// Neighbours in the log are mostly of one stream, whose name is read once.
    private func subject(of stream: StreamName) -> Subject {
        if recent.stream != stream { recent = (stream, read(stream)) }
        return recent.subject
    }

    private func read(_ stream: StreamName) -> Subject {
        switch stream.category {
        case "usage", "allocation", "calls":
            guard let day = stream.accountDay else { return .other }
            pages.learn([day.account])
            return .costs(day.day)
        case "threshold", "assignment": return .directory
        case "directory" where stream == .projects: return .directory
        case "failures": return .failures
        default: return .other
        }
    }

    /// - Parameter position: costs before here have been taken in.
    private func apply(_ event: RecordedEvent, _ subject: Subject, before position: Position) async throws {
        switch subject {
        case .costs(let day):
            let missing = watch.missingDays(for: day)
            if !missing.isEmpty { try await load(missing, through: Position(position.value - 1)) }
            if ThresholdWatch.isReadable(event.type, schema: event.event.schema) {
                do { try watch.take(raw: event.event, of: day) } catch { park(event, error: "\(error)") }
            } else if let decoded = decode(event) {
                watch.take(decoded, of: day)
            }
        case .directory:
            guard let decoded = decode(event) else { return }
            if case .thresholdSet(let statement) = decoded { warn(of: [statement]) }
            if watch.evolve(decoded, recorded: event.recorded) { open?.looksAround = true }
        case .failures, .other: return
        }
    }

    private func settle(_ commit: Commit) async throws {
        open = nil
        if commit.looksAround {
            try await load(watch.missingDays(around: commit.last.recorded), through: commit.last.position)
            watch.lookAtAll(commit.last.recorded)
        }
        for event in watch.settle(at: commit.last.position) {
            guard let stream = event.alertStream else { continue }
            let finding = Finding(event: event, stream: stream, cause: commit.last)
            pending.append(finding)
            if !foretold.contains(finding.id) { verdict.findings.append(finding) }
        }
    }

    // MARK: Reading pages

    private func load(_ days: [Day], through position: Position) async throws {
        for day in days {
            if let replayed, !replayed.contains(day) {
                watch.insert([], for: day)
                continue
            }
            watch.begin(reading: day)
            var costs = pages.costs(of: day, through: position)
            while let events = try await costs.next() {
                for event in events where parking.isEmpty || !parking.holds(event) { read(event) }
            }
            for finding in try await findings(of: day, through: position) { watch.read(finding) }
            watch.endReading()
        }
    }

    private func read(_ event: RecordedEvent) {
        if ThresholdWatch.isReadable(event.type, schema: event.event.schema) {
            do { try watch.read(raw: event.event) } catch { park(event, error: "\(error)") }
        } else if let decoded = decode(event) {
            watch.read(decoded)
        }
    }

    /// What was found about the windows that begin on a day, by what has happened up to a position.
    private func findings(of day: Day, through position: Position) async throws -> [FinOpsEvent] {
        var events: [FinOpsEvent] = []
        for recorded in replayed == nil ? try await pages.alerts(from: day) : [] {
            guard let decoded = try EventCatalogue.decode(recorded.event), let cause = decoded.causePosition else {
                continue
            }
            if cause <= position { events.append(decoded) } else { foretold.insert(recorded.event.id) }
        }
        let known = Set([WindowKind.day, .week].map { StreamName.alerts($0, firstDay: day) })
        return events + pending.filter { known.contains($0.stream) && !foretold.contains($0.id) }.map(\.event)
    }

    // MARK: What cannot be decoded

    /// - Returns: nil for what is of no use here: of an unknown schema, or put aside.
    private func decode(_ event: RecordedEvent) -> FinOpsEvent? {
        do {
            let decoded = try EventCatalogue.decode(event.event)
            if decoded == nil {
                logger.warning(
                    "event of an unknown schema left alone",
                    metadata: ["position": "\(event.position)", "type": "\(event.type)"])
            }
            return decoded
        } catch {
            park(event, error: "\(error)")
            return nil
        }
    }

    /// Later events of its stream wait behind it, without a record of their own: they are found in the stream.
    private func park(_ event: RecordedEvent, error: String) {
        // Pure and given the same input it would fail the same way: one attempt stands for three.
        let failure = WireProcessingFailed(event, stage: stage, attempts: 3, error: error)
        let failed = FinOpsEvent.processingFailed(failure)
        parking.evolve(failed)
        verdict.failures.append(failed)
        logger.error(
            "event parked",
            metadata: ["position": "\(event.position)", "stream": "\(event.stream)", "error": "\(error)"])
    }

    /// An administrator lets a parked event be tried again, or skipped; what waited behind it follows.
    private func answerAdministrator(_ answer: RecordedEvent) async throws {
        guard let decoded = try? EventCatalogue.decode(answer.event) else { return }  // Not about anything parked here.
        let parked: UInt64
        switch decoded {
        case .processingRetried(let retry) where retry.stage == stage: parked = retry.position
        case .processingSkipped(let skip) where skip.stage == stage: parked = skip.position
        default: return
        }
        guard let stream = parking.stream(of: Position(parked)) else { return parking.evolve(decoded) }
        let subject = subject(of: stream)
        // The pages without what waited: it is taken in on top of them.
        if case .costs(let day) = subject, watch.isArmed {
            try await load(watch.missingDays(for: day), through: Position(answer.position.value - 1))
        }
        parking.evolve(decoded)
        for event in try await reader.readAll(stream: stream) {
            guard event.position.value >= parked, event.position < answer.position else { continue }
            guard !parking.holds(event) else { continue }
            if case .costs = subject, !watch.isArmed { continue }
            try await apply(event, subject, before: answer.position)
        }
    }
}
