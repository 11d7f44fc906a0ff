package import EventLog
package import FinOps

/// Folds the log from its beginning into a new generation. Reading and decoding run beside the writing, one page ahead:
/// two cores work, and memory stays at two pages.
package struct ProjectionBuild: Sendable {
    /// Where the fold stops: the head, or what was known at a position or a time.
    package enum End: Hashable, Sendable {
        /// As far as the log goes, also what is appended meanwhile.
        case head
        /// This one is the last that is applied.
        case position(Position)
        /// Events recorded later are left out.
        case time(Timestamp)
    }

    /// How far a build has come.
    package struct Progress: Sendable {
        /// Everything up to here is applied.
        package var position: Position
        /// The log's head at the last page: it may still move.
        package var end: Position
    }

    private let reader: any EventReader
    private let calendar: BusinessCalendar
    private let end: End

    /// - Parameter calendar: of the business zone; a generation is for one zone and says which.
    package init(reader: any EventReader, calendar: BusinessCalendar, end: End = .head) {
        self.reader = reader
        self.calendar = calendar
        self.end = end
    }

    /// Large transactions: sums of a hundred thousand rows are written once.
    private static let eventsPerCommit = 100_000

    /// - Parameters:
    ///   - path: a file that does not exist yet.
    ///   - progress: told after every page.
    /// - Returns: where it came to; its `halt` names the event that it could not pass.
    /// - Throws: `StoreError`, `ProjectionFailure`: the file is of no use then.
    package func run(into path: String, progress: @Sendable (Progress) -> Void = { _ in }) async throws
        -> ProjectionWriter.Checkpoint
    {
        let writer = try await ProjectionWriter(path: path, mode: .build, calendar: calendar)
        await writer.skip(try await SkippedEvents.read(from: reader))
        do { try await fill(writer, progress) } catch is ProjectionHalt {
            // Everything before it is written: what was built is as far as anything can come.
        }
        let checkpoint = await writer.state
        try await writer.finishBuild()
        return checkpoint
    }

    private func fill(_ writer: ProjectionWriter, _ progress: @Sendable (Progress) -> Void) async throws {
        var page = try await page(after: .start)
        var uncommitted = 0
        while true {
            if page.isLast {
                try await writer.apply(page.events, through: page.through)
                progress(Progress(position: page.through, end: page.through))
                return
            }
            let through = page.through
            async let following = self.page(after: through)
            uncommitted += page.events.count
            let commit = uncommitted >= Self.eventsPerCommit
            try await writer.apply(page.events, through: through, commit: commit)
            if commit { uncommitted = 0 }
            progress(Progress(position: through, end: page.head))
            page = try await following
        }
    }

    private struct Page: Sendable {
        var events: [ProjectedEvent]
        var through: Position
        var head: Position
        var isLast: Bool
    }

    private func page(after position: Position) async throws -> Page {
        let read = try await reader.read(after: position, limit: EventLimits.readEvents, types: nil)
        var events = read.events[...]
        var through = read.scannedThrough
        var isLast = read.scannedThrough >= read.head
        let wanted =
            switch end {
            case .head: events.endIndex
            case .position(let last): events.firstIndex { $0.position > last } ?? events.endIndex
            case .time(let time): events.firstIndex { $0.recorded > time } ?? events.endIndex
            }
        if wanted < events.endIndex {
            events = events[..<wanted]
            through = events.last?.position ?? position
            isLast = true
        }
        if case .position(let last) = end, through >= last { isLast = true }
        return Page(events: events.map(ProjectedEvent.init), through: through, head: read.head, isLast: isLast)
    }
}

/// The positions that `finops dead-letters skip` named for the projections. They stand later in the log than what they
/// let pass, so they are looked up before a fold begins.
package enum SkippedEvents {
    static let stage = "projector"

    /// - Throws: `StoreError`.
    package static func read(from reader: any EventReader) async throws(StoreError) -> Set<UInt64> {
        let events = try await reader.readAll(stream: StreamName("failures-\(stage)"))
        return Set(events.compactMap { position(in: $0) })
    }

    static func position(in event: RecordedEvent) -> UInt64? {
        guard event.type.text == "processing.skipped",
            // What cannot be decoded lets nothing pass; the fold itself reports it.
            case .processingSkipped(let skipped)? = try? EventCatalogue.decode(event.event), skipped.stage == stage
        else { return nil }
        return skipped.position
    }
}
