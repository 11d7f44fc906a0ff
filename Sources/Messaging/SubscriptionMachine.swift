import EventLog

/// Decides what a subscriber does next: hand on what arrived, read from the log, or wait. Pure, so that a seeded test can
/// drop, repeat and reorder the wire. It reads first, then follows the wire, and reads again whenever something is missing.
struct SubscriptionMachine {
    enum Step: Hashable {
        case deliver(SubscriptionBatch)
        case read(after: Position)
        case wait
    }

    private var cursor: SubscriptionCursor
    let types: Set<EventType>?
    private let batchEvents: Int
    private var decoder = EventDecoder()
    private var knownHead: Position
    /// Until a read reached the head, the wire is only a promise of what to read later.
    private var mustRead = true
    private var isFirstPage = true
    /// Arrived too early: what lies before it has to be read first.
    private var early: PublishedCommit?
    /// Publications that did not decode; the log has what they said.
    private var malformed: [MalformedFrame] = []

    init(after position: Position, types: Set<EventType>?, batchEvents: Int) {
        cursor = SubscriptionCursor(after: position)
        knownHead = position
        self.types = types
        self.batchEvents = batchEvents
    }

    /// - Parameters:
    ///   - head: the head that the wire told; taken before `next` is asked, so that what it announces is there by then.
    ///   - next: the next commit that arrived, if any.
    mutating func step(head: Position, next: () -> PublishedCommit?) -> Step {
        knownHead = max(knownHead, head)
        if mustRead { return .read(after: cursor.handled) }
        let before = cursor.handled
        var events: [RecordedEvent] = []
        while events.count < batchEvents, let commit = early ?? next() {
            early = nil
            knownHead = max(knownHead, commit.last)
            if commit.last <= cursor.handled { continue }
            if case .catchUp = cursor.step(for: max(commit.first, cursor.handled.next)) {
                early = commit
                break
            }
            handle(commit, into: &events)
        }
        if cursor.handled > before { return .deliver(batch(events)) }
        return early != nil || cursor.isBehind(head: knownHead) ? .read(after: cursor.handled) : .wait
    }

    /// Hands on the part of a commit that is new. The filter comes after the order check.
    private mutating func handle(_ commit: PublishedCommit, into events: inout [RecordedEvent]) {
        let (handled, types, before) = (cursor.handled, types, events.count)
        do throws(MalformedFrame) {
            try commit.forEachEvent(&decoder) { event in
                if event.position > handled, types?.contains(event.type) ?? true { events.append(event) }
            }
            cursor.advance(to: commit.last)
        } catch {
            events.removeSubrange(before...)
            malformed.append(error)
        }
    }

    /// Takes the log's answer to `.read`.
    /// - Returns: what to hand on, if anything; the first page always, since it tells where the log is.
    /// - Throws: `log-went-back` when the log ends before what was handed on already.
    mutating func received(_ page: ReadPage) throws(StoreError) -> SubscriptionBatch? {
        guard page.head >= cursor.handled else {
            throw .failed(
                StoreFailure(
                    code: "log-went-back",
                    message: "the log ends at \(page.head), but \(cursor.handled) was handled already",
                    isRetriable: false))
        }
        knownHead = max(knownHead, page.head)
        let isNews = isFirstPage || page.scannedThrough > cursor.handled
        isFirstPage = false
        // A repeated read may answer from before: never hand on what was handed on.
        let events = page.events.filter { $0.position > cursor.handled }
        cursor.advance(to: max(page.scannedThrough, cursor.handled))
        mustRead = cursor.handled < page.head
        return isNews ? batch(events) : nil
    }

    /// Whether the log is known to hold more than was handed on.
    var isBehind: Bool { mustRead || early != nil || cursor.isBehind(head: knownHead) }

    mutating func takeMalformed() -> [MalformedFrame] {
        defer { malformed = [] }
        return malformed
    }

    private func batch(_ events: [RecordedEvent]) -> SubscriptionBatch {
        SubscriptionBatch(events: events, scannedThrough: cursor.handled, head: max(knownHead, cursor.handled))
    }
}

extension PublishedCommit {
    /// Decodes its events one after another.
    /// - Throws: when the bytes are not exactly the events at the positions that the commit names; what was handed out
    ///   before is void then.
    func forEachEvent(_ decoder: inout EventDecoder, _ body: (RecordedEvent) -> Void) throws(MalformedFrame) {
        try frame.decoded { bytes throws(MalformedFrame) in
            var offset = Self.eventsAt
            var expected = first
            do throws(EventDecoder.Malformed) {
                while offset < bytes.count {
                    let event = try decoder.decode(bytes, at: &offset)
                    guard event.position == expected else { break }
                    expected = expected.next
                    body(event)
                }
            } catch {
                throw MalformedFrame(reason: "an event does not decode", at: error.at)
            }
            guard offset == bytes.count, expected == last.next else {
                throw MalformedFrame(reason: "a commit with other events than it says", at: Self.eventsAt)
            }
        }
    }
}
