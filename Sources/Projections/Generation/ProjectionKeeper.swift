package import EventLog
package import FinOps

/// Keeps the current generation up to date: builds it where there is none or where its schema or zone changed, follows the
/// log, and moves over when somebody else swapped a new one in.
package actor ProjectionKeeper {
    /// What the keeper does that takes time.
    package enum Step: Sendable {
        /// A new generation is begun; the reason is for a person.
        case building(reason: String)
        case progress(ProjectionBuild.Progress)
        /// The generation at `path` is kept up to date from now on, from this position.
        case opened(path: String, Position)
    }

    private let files: ProjectionFiles
    private let reader: any EventReader
    private let calendar: BusinessCalendar
    private let report: @Sendable (Step) -> Void
    private var writer: ProjectionWriter?

    /// - Parameter report: told what it does that takes time.
    package init(
        files: ProjectionFiles, reader: any EventReader, calendar: BusinessCalendar,
        report: @escaping @Sendable (Step) -> Void = { _ in }
    ) {
        self.files = files
        self.reader = reader
        self.calendar = calendar
        self.report = report
    }

    /// Opens the current generation, building it first where needed.
    /// - Returns: from where to follow the log.
    /// - Throws: `ProjectionHalt` if the projections stand before an event that they cannot apply.
    package func open() async throws -> Position {
        await writer?.close()
        writer = nil
        let opened = try await openCurrent()
        await opened.skip(try await SkippedEvents.read(from: reader))
        writer = opened
        let state = await opened.state
        report(.opened(path: opened.path, state.position))
        return state.position
    }

    private func openCurrent() async throws -> ProjectionWriter {
        if let path = files.currentGeneration {
            do {
                return try await ProjectionWriter(path: path, mode: .live, calendar: calendar)
            } catch let failure as ProjectionFailure where failure.code == "projection-outdated" {
                report(.building(reason: failure.message))
            }
        } else {
            report(.building(reason: "there are no projections yet"))
        }
        _ = try await rebuild()
        guard let path = files.currentGeneration else {
            throw ProjectionFailure(code: "projection-missing", message: "a build left no projections")
        }
        return try await ProjectionWriter(path: path, mode: .live, calendar: calendar)
    }

    /// Builds a new generation beside the current one and swaps it in.
    /// - Returns: where it came to, with the halt that keeps it from the head.
    package func rebuild() async throws -> ProjectionWriter.Checkpoint {
        guard let lock = try ProjectionLock.take(.building, of: files) else {
            throw ProjectionFailure(
                code: "projection-building", message: "another rebuild of the projections is running", isRetriable: true
            )
        }
        try files.removeAbandoned()
        let path = try files.nextGeneration()
        do {
            let build = ProjectionBuild(reader: reader, calendar: calendar)
            let report = report
            let checkpoint = try await build.run(into: path) { report(.progress($0)) }
            try files.swap(to: path)
            _ = consume lock
            return checkpoint
        } catch {
            ProjectionFiles.remove(path)
            throw error
        }
    }

    /// Applies what a subscription delivered.
    /// - Returns: false if another generation was swapped in meanwhile: `open` it and follow from where it stands.
    /// - Throws: `ProjectionHalt`; nothing after it is applied until it is skipped.
    package func apply(_ batch: SubscriptionBatch) async throws -> Bool {
        guard let writer, files.currentGeneration == writer.path else { return false }
        let skipped = Set(batch.events.compactMap { SkippedEvents.position(in: $0) })
        if !skipped.isEmpty { await writer.skip(skipped) }
        try await writer.apply(batch.events.map(ProjectedEvent.init), through: batch.scannedThrough)
        return true
    }

    /// Reads the log to its head.
    /// - Returns: where the projections then stand.
    package func catchUp() async throws -> Position {
        while true {
            var position = try await open()
            var isCurrent = true
            while isCurrent {
                let page = try await reader.read(after: position, limit: EventLimits.readEvents, types: nil)
                if page.scannedThrough <= position { return position }
                isCurrent = try await apply(
                    SubscriptionBatch(events: page.events, scannedThrough: page.scannedThrough, head: page.head))
                position = page.scannedThrough
            }
        }
    }

    /// Ends the use of the generation; `open` begins anew.
    package func close() async {
        await writer?.close()
        writer = nil
    }
}
