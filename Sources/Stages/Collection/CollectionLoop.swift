package import EventLog
package import FinOps
import Logging

/// The body of an ingest service: at every due moment it goes through the connections one after another; one that fails
/// does not stop the others.
package struct CollectionLoop: Sendable {
    /// How long an account rests whose failure does not pass by itself, in seconds.
    static let restSeconds: Int64 = 3_600

    private let provider: String
    private let schedule: CollectionSchedule
    private let log: any EventStore
    private let prices: CurrentPrices
    private let memory = DayMemory()
    private let open: @Sendable (WireConnectionMade) async throws(SourceFailure) -> any UsageSource
    private let sleep: @Sendable (Timestamp) async throws -> Void
    private let environment: CollectionEnvironment
    private let requests: DailyRequests?

    /// - Parameters:
    ///   - open: makes the source of a connection; it decrypts the key, which lives as long as the source.
    ///   - sleep: returns when business time has come there.
    ///   - requests: who else may ask for a day's run; nil if nobody may.
    package init(
        provider: String, schedule: CollectionSchedule, log: any EventStore,
        open: @escaping @Sendable (WireConnectionMade) async throws(SourceFailure) -> any UsageSource,
        sleep: @escaping @Sendable (Timestamp) async throws -> Void, environment: CollectionEnvironment,
        requests: DailyRequests? = nil
    ) {
        self.provider = provider
        self.schedule = schedule
        self.log = log
        prices = CurrentPrices(log: log)
        self.open = open
        self.sleep = sleep
        self.environment = environment
        self.requests = requests
    }

    /// Runs until its task is cancelled.
    /// - Parameter told: called when the log has answered, and with the error that ended a round early.
    /// - Throws: `CancellationError`.
    package func run(told: @Sendable ((any Error)?) async -> Void) async throws {
        var rests: [WireConnectionMade: Timestamp] = [:]
        while true {
            do {
                try await round(&rests) { await told(nil) }
            } catch {
                try Task.checkCancellation()
                let what = error is StoreError ? "the log does not answer" : "the round ended early"
                environment.logger.warning("\(what)", metadata: ["error": "\(error)"])
                await told(error)
            }
            try Task.checkCancellation()
            try await rest(until: schedule.next(after: environment.now()))
        }
    }

    private func rest(until moment: Timestamp) async throws {
        guard let requests else { return try await sleep(moment) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sleep(moment) }
            group.addTask { await requests.untilAsked() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Everything that is due now.
    /// - Throws: `StoreError`; `UndecodableEvent`; `CancellationError`.
    func round(_ rests: inout [WireConnectionMade: Timestamp], answered: () async -> Void = {}) async throws {
        let asked = requests?.take()
        let connections = try await log.connections(provider: provider)
        await answered()
        rests = rests.filter { connections.contains($0.key) }
        for connection in connections {
            if let rest = rests[connection], environment.now() < rest { continue }
            guard let failure = try await collect(connection, asked: asked) else {
                rests[connection] = nil
                continue
            }
            // A new key or address is another connection, which does not rest.
            let seconds = failure.isRetriable ? 0 : Self.restSeconds
            rests[connection] = environment.now().advanced(bySeconds: seconds)
        }
    }

    private func collect(_ connection: WireConnectionMade, asked: Day?) async throws -> SourceFailure? {
        let account = CollectedAccount(connection)
        let source: any UsageSource
        do throws(SourceFailure) { source = try await open(connection) } catch {
            environment.logger.warning(
                "the connection cannot be opened", metadata: ["account": "\(account.name)", "error": "\(error)"])
            return error
        }
        let collector = Collector(
            account: account, source: source, log: log, prices: prices, calendar: schedule.calendar,
            memory: memory, environment: environment)
        let daily = schedule.days(ofDailyRun: try await dailyDate(for: account, asked: asked))
        let isFinished = try await log.dailyRun(of: daily, account, schedule.calendar) == .finished
        let failure = try await isFinished ? nil : collector.collect(.daily, daily).failure
        // What makes no sense about an earlier day says nothing about the running one.
        if let failure, failure.kind != .malformedAnswer { return failure }
        let today = schedule.calendar.day(of: environment.now())
        let polled = try await collector.collect(.poll, today...today).failure
        return failure ?? polled
    }

    /// The day whose daily run is due: today's before its time, too, once it was asked for. One that was begun then is
    /// ended, although the program was restarted and nobody asks again.
    private func dailyDate(for account: CollectedAccount, asked: Day?) async throws -> Day {
        let due = schedule.dailyDate(at: environment.now())
        let today = schedule.calendar.day(of: environment.now())
        guard requests != nil, due < today else { return due }
        if asked == today { return today }
        let begun = try await log.dailyRun(of: schedule.days(ofDailyRun: today), account, schedule.calendar)
        return begun == .waiting ? due : today
    }
}

extension EventReader {
    /// The connected accounts of a provider, in the order of their names.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package func connections(provider: String) async throws -> [WireConnectionMade] {
        var connections: [WireConnectionMade] = []
        for summary in try await allStreams(prefix: "connection-\(provider)-") {
            let connection = try await fold(summary.stream, with: ConnectionRegister.self).state
            if let connection { connections.append(connection) }
        }
        return connections
    }
}
