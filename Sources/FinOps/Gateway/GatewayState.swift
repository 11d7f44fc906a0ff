package import EventLog
import Digest
import FoundationEssentials
import SwiftProtobuf

/// All that a gateway knows from the log: one value, to be kept under one lock, and written down now and then so that a
/// restart goes on where it was, with or without the log.
package struct GatewayState: Sendable {
    package var keys: KeyTable
    package var budget: Budget
    package var paces: KeyPaces
    /// Answers made in the background whose use was counted, by whichever gateway.
    private(set) var answers = Recent<String>()

    /// The types of its history.
    package static let types = KeyTable.types.union(Budget.types).union(KeyPaces.types)

    /// - Parameter gateway: this one's name.
    package init(gateway: String, terms: BudgetTerms) {
        keys = KeyTable(gateway: gateway)
        budget = Budget(gateway: gateway, terms: terms)
        paces = KeyPaces(gateway: gateway)
    }

    /// Where to go on reading.
    package var position: Position { min(keys.position, budget.position, paces.position) }

    /// Takes an event in; one that it knows already changes nothing.
    package mutating func take(_ event: FinOpsEvent, _ recorded: RecordedEvent) {
        if case .callRecorded(let call) = event { note(call) }
        keys.take(event, recorded)
        budget.take(event, recorded)
        paces.take(event, recorded)
    }

    /// Whether a call's use counts: that of an answer made in the background only the first time.
    package mutating func countsNow(_ call: WireCallRecorded) -> Bool {
        call.countsOnce.isEmpty || answers.insert("\(call.account)\0\(call.countsOnce)")
    }

    /// What a call says besides what it cost; also said of calls of an earlier run that the log may not have.
    package mutating func note(_ call: WireCallRecorded) {
        _ = countsNow(call)
        keys.noteAccepted(call)
    }

    /// Where nothing but other types lay up to a position: a snapshot then begins after them.
    package mutating func skip(to position: Position) {
        keys.position = max(keys.position, position)
        budget.position = max(budget.position, position)
        paces.position = max(paces.position, position)
    }

    // MARK: Writing down

    /// The state as bytes, a digest of them in front: what `init(snapshot:…)` reads. Calls under way and calls that the log
    /// does not have yet are not in it; the spool has those.
    /// - Throws: what JSON says of values that cannot be written, which no state has.
    package func snapshot() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let content = Array(
            try encoder.encode(
                StateDocument(
                    keys: .init(keys), budget: .init(budget),
                    paces: PacesDocument(position: paces.position.value, heard: paces.heard), answers: answers.inOrder))
        )
        return SHA256.hash(content) + content
    }

    /// - Returns: nil for bytes that are not what `snapshot` wrote, or another gateway's: the log is then read from its
    ///   beginning.
    package init?(snapshot: [UInt8], gateway: String, terms: BudgetTerms) {
        let content = Array(snapshot.dropFirst(32))
        guard snapshot.count > 32, SHA256.hash(content).elementsEqual(snapshot.prefix(32)) else { return nil }
        do {
            let document = try JSONDecoder().decode(StateDocument.self, from: Data(content))
            guard document.format == StateDocument.newestFormat, document.keys.gateway == gateway else { return nil }
            self.init(gateway: gateway, terms: terms)
            try document.keys.fill(&keys)
            try document.budget.fill(&budget)
            paces.position = Position(document.paces.position)
            paces.heard = document.paces.heard
            for answer in document.answers { answers.insert(answer) }
        } catch { return nil }  // Written by another version: nothing is lost, the log has it all.
    }
}

private struct StateDocument: Codable {
    /// Another one whenever the meaning of anything here changes: what is written in the old one is read from the log again.
    static let newestFormat = 3
    var format = newestFormat
    var keys: KeyTableDocument
    var budget: BudgetDocument
    let paces: PacesDocument
    let answers: [String]
}

private struct PacesDocument: Codable {
    let position: UInt64
    let heard: [String: KeyPaces.Hearing]
}

/// A timeline as pairs.
private struct TimelineDocument: Codable {
    struct Span: Codable {
        let from: Int64?
        let value: String
    }

    let spans: [Span]

    init(_ timeline: Timeline<String>) {
        spans = timeline.spans.map { Span(from: $0.from?.microseconds, value: $0.value) }
    }

    var timeline: Timeline<String> {
        var timeline = Timeline<String>()
        for span in spans { timeline.set(span.value, from: span.from.map { Timestamp(microseconds: $0) }) }
        return timeline
    }
}

private struct KeyTableDocument: Codable {
    struct Replaced: Codable {
        let prefix: String
        let hash: Data
        let validUntil: Int64
    }

    struct Key: Codable {
        let issued: Data
        let prefix: String
        let hash: Data
        let replaced: Replaced?
        /// nil while it may be used.
        let disabledFor: String?
    }

    let gateway: String
    let position: UInt64
    let keys: [Key]
    let upstreams: [UpstreamFacts]
    let projects: [String: TimelineDocument]
    let thresholds: [Data]
    let decisions: [KeyTable.Decision]
    let accepted: [String: KeyTable.Acceptance]

    init(_ table: KeyTable) throws {
        gateway = table.gateway
        position = table.position.value
        // In an order of their own, so that equal states are equal bytes.
        keys = try table.keys.sorted { $0.key < $1.key }.map(\.value).map { entry in
            Key(
                issued: try entry.issued.serializedBytes(), prefix: entry.facts.prefix, hash: Data(entry.hash.bytes),
                replaced: entry.replaced.map {
                    Replaced(prefix: $0.facts.prefix, hash: Data($0.hash.bytes), validUntil: $0.validUntil)
                },
                disabledFor: entry.disabled)
        }
        upstreams = table.upstreams
        projects = table.projects.mapValues(TimelineDocument.init)
        thresholds = try table.thresholds.sorted { $0.key.text < $1.key.text }.map { try $0.value.serializedBytes() }
        decisions = table.decisions
        accepted = table.accepted
    }

    func fill(_ table: inout KeyTable) throws {
        table.position = Position(position)
        for key in keys {
            let issued = try WireKeyIssued(serializedBytes: key.issued)
            guard let hash = KeyHash(key.hash) else { continue }
            var entry = KeyTable.Entry(
                issued: issued, facts: KeyFacts(issued, prefix: key.prefix), hash: hash,
                disabled: key.disabledFor)
            if let replaced = key.replaced, let hash = KeyHash(replaced.hash) {
                entry.replaced = .init(
                    facts: KeyFacts(issued, prefix: replaced.prefix), hash: hash, validUntil: replaced.validUntil)
            }
            table.add(entry)
        }
        table.upstreams = upstreams
        table.projects = projects.mapValues(\.timeline)
        for statement in thresholds {
            let event = try WireThresholdSet(serializedBytes: statement)
            if let scope = CostScope(kind: event.scope, name: event.name) { table.thresholds[scope] = event }
        }
        table.decisions = decisions
        table.accepted = accepted
    }
}

private struct BudgetDocument: Codable {
    struct HeldLimit: Codable {
        let statement: Data
        let since: Int64
        let position: UInt64
    }

    struct Spent: Codable {
        let slot: Int64
        let project: String
        let gateway: String
        let nanos: Int64
    }

    struct Book: Codable {
        let window: WindowID
        let version: UInt64
        let parts: [String: Lease]
    }

    let position: UInt64
    let projects: [String: TimelineDocument]
    let limits: [HeldLimit]
    let spent: [Spent]
    let books: [Book]
    let recent: [CallAttempt]
    let takenSequence: UInt64
    let pending: [String: [PendingAnswers.Held]]
    let over: [String]

    init(_ budget: Budget) throws {
        position = budget.position.value
        projects = budget.projects.mapValues(TimelineDocument.init)
        limits = try budget.limits.sorted { $0.key.text < $1.key.text }.map(\.value).map {
            HeldLimit(
                statement: try $0.statement.serializedBytes(), since: $0.threshold.since.microseconds,
                position: $0.position)
        }
        spent = budget.spending.slots.flatMap { slot, projects in
            projects.flatMap { project, gateways in
                gateways.map { Spent(slot: slot, project: project, gateway: $0.key, nanos: $0.value) }
            }
        }.sorted { ($0.slot, $0.project, $0.gateway) < ($1.slot, $1.project, $1.gateway) }
        books = budget.books.filter { $0.value.version != .none }.map {
            Book(window: $0.key, version: $0.value.version.value, parts: $0.value.parts)
        }.sorted { $0.window.stream.text < $1.window.stream.text }
        recent = budget.recent.inOrder
        takenSequence = budget.takenSequence
        pending = budget.pending.held
        over = budget.pending.over.inOrder
    }

    func fill(_ budget: inout Budget) throws {
        budget.position = Position(position)
        budget.projects = projects.mapValues(\.timeline)
        for limit in limits {
            let statement = try WireThresholdSet(serializedBytes: limit.statement)
            guard let threshold = Threshold(statement, since: Timestamp(microseconds: limit.since)) else { continue }
            budget.limits[threshold.scope] = .init(
                statement: statement, threshold: threshold, position: limit.position)
        }
        for charge in spent {
            budget.spending.add(
                Charge(project: charge.project, slot: charge.slot, nanos: charge.nanos), by: charge.gateway)
        }
        for book in books {
            budget.books[book.window] = LeaseBook(version: StreamVersion(book.version), parts: book.parts)
        }
        for attempt in recent { budget.recent.insert(attempt) }
        budget.takenSequence = takenSequence
        budget.pending.held = pending
        for answer in over { budget.pending.over.insert(answer) }
    }
}
