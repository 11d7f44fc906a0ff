package import EventLog
package import FinOps

/// Starts today's run of all connected accounts when somebody asks, at most once a business day. The collection loop does
/// the work, as it does at the scheduled time; the log says how far it is, so that a restart forgets nothing.
package struct DailyBatch: Sendable {
    private let provider: String
    private let schedule: CollectionSchedule
    private let log: any EventReader
    private let requests: DailyRequests
    private let now: @Sendable () -> Timestamp

    /// What the caller is told.
    package struct Answer: Sendable, Equatable {
        /// How far the day's run is, over all accounts.
        package enum State: String, Sendable {
            case started
            case underWay = "under-way"
            case finished
            case nothingConnected = "nothing-connected"
        }

        package var state: State
        /// The business day whose run it is.
        package var date: Day
        /// What the run reads: the day before, and those before that which are read again.
        package var days: ClosedRange<Day>
        /// In the order of their names.
        package var accounts: [Account]

        /// A connected account, and how far its run is.
        package struct Account: Sendable, Equatable {
            package var name: String
            package var state: DailyRunState
        }
    }

    package init(
        provider: String, schedule: CollectionSchedule, log: any EventReader, requests: DailyRequests,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.provider = provider
        self.schedule = schedule
        self.log = log
        self.requests = requests
        self.now = now
    }

    /// Asks for today's run unless it is done or under way.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    package func ask() async throws -> Answer {
        let date = schedule.calendar.day(of: now())
        let days = schedule.days(ofDailyRun: date)
        var answer = Answer(state: .finished, date: date, days: days, accounts: [])
        for connection in try await log.connections(provider: provider) {
            let state = try await log.dailyRun(of: days, CollectedAccount(connection), schedule.calendar)
            answer.accounts.append(.init(name: connection.account, state: state))
        }
        if answer.accounts.isEmpty {
            answer.state = .nothingConnected
        } else if answer.accounts.contains(where: { $0.state != .finished }) {
            let isNew = requests.ask(for: date) && answer.accounts.allSatisfy { $0.state == .waiting }
            answer.state = isNew ? .started : .underWay
        }
        return answer
    }
}

/// How far the daily run of an account's days is, as the log says.
package enum DailyRunState: String, Sendable {
    case waiting
    case underWay = "under-way"
    /// The loop tries again.
    case failed
    /// It is not repeated, whoever restarts.
    case finished
}

extension EventReader {
    /// - Throws: `StoreError`; `UndecodableEvent`.
    func dailyRun(
        of days: ClosedRange<Day>, _ account: CollectedAccount, _ calendar: BusinessCalendar
    ) async throws -> DailyRunState {
        let firstDay = Day(utc: calendar.span(from: days.lowerBound, through: days.upperBound).lowerBound)
        func isIt(_ kind: String, _ from: String, _ to: String) -> Bool {
            kind == CollectionKind.daily.rawValue && from == days.lowerBound.description
                && to == days.upperBound.description
        }
        var state = DailyRunState.waiting
        for event in try await readAll(stream: CollectionReport.stream(of: account, firstDay: firstDay)) {
            switch try EventCatalogue.decode(event.event) {
            case .runFinished(let run) where isIt(run.kind, run.fromDay, run.toDay): return .finished
            case .runFailed(let run) where isIt(run.kind, run.fromDay, run.toDay): state = .failed
            case .runStarted(let run) where isIt(run.kind, run.fromDay, run.toDay): state = .underWay
            default: break
            }
        }
        return state
    }
}
