import EventLog
import FinOps
import Runtime

/// Gives costs to what is in the log already: first ones to what had no price, other ones in a correction. Everything is
/// appended with the version it was decided on, so it may be stopped anywhere and run again: nothing is done twice.
struct Repricing {
    /// The log takes so many events at once with room to spare; of calls, which are larger, fewer.
    private static let batchRows = 2_000
    private static let batchCalls = 1_000

    private(set) var rows = 0
    private(set) var calls = 0
    /// Nano-dollars.
    private(set) var difference: Int128 = 0

    private let session: AdministrationSession
    private let catalogue: PriceCatalogue
    private let purpose: CallRepricing.Purpose

    private init(
        _ purpose: CallRepricing.Purpose, in session: AdministrationSession, _ catalogue: PriceCatalogue
    ) {
        self.purpose = purpose
        self.session = session
        self.catalogue = catalogue
    }

    /// Prices what had no price when it was collected or called. What has a price keeps it.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func firstPrices(in session: AdministrationSession) async throws -> Repricing {
        let catalogue = try await PriceShelf.read(from: session.store).catalogue
        var repricing = Repricing(.firstPrices, in: session, catalogue)
        for place in try await repricing.unpricedDays() {
            try await repricing.repriceUsage(place)
        }
        try await repricing.repriceCalls(PriceScope(provider: "", model: nil, from: nil, through: nil))
        return repricing
    }

    /// Carries a correction out, or on where it was stopped.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func correct(
        _ started: WirePriceCorrectionStarted, in session: AdministrationSession
    ) async throws -> Repricing {
        guard let scope = PriceScope(started) else {
            throw CommandFailure(.failure, "the correction \(started.id) names a day that is none")
        }
        let catalogue = try await PriceShelf.read(from: session.store).catalogue
        var repricing = Repricing(
            .correction(id: started.id, scope, reason: started.reason), in: session, catalogue)
        for place in try await session.store.accountDays("usage-", scope) {
            try await repricing.repriceUsage(place)
        }
        try await repricing.repriceCalls(scope)
        try await session.undisturbed {
            let (ledger, version) = try await session.store.ledger()
            guard ledger.open.contains(where: { $0.id == started.id }) else { return }
            let end = session.named([.priceCorrectionAdvanced(ledger.end(of: started.id))])
            try await session.append([StreamAppend(.corrections, expected: .exactly(version), end)])
        }
        return repricing
    }

    /// Whether a correction would reprice anything at all: it reads as far as the first that would be.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func finds(
        _ wanted: WirePriceCorrectionStarted, _ scope: PriceScope, in session: AdministrationSession,
        _ catalogue: PriceCatalogue
    ) async throws -> Bool {
        let repricing = Repricing(
            .correction(id: wanted.id, scope, reason: wanted.reason), in: session, catalogue)
        for place in try await session.store.accountDays("usage-", scope) {
            let stream = StreamName.usage(account: place.account, day: place.day)
            let state = try await session.store.fold(stream, with: UsageDay.self).state
            if try !UsageDay.decide(repricing.command, state).isEmpty { return true }
        }
        for place in try await session.store.accountDays("calls-", scope) {
            do {
                try await repricing.forEachRepriced(in: .calls(account: place.account, day: place.day)) { _ in
                    throw Found()
                }
            } catch is Found { return true }
        }
        return false
    }

    /// Ends a reading whose question is answered.
    private struct Found: Error {}

    private var correction: String {
        if case .correction(let id, _, _) = purpose { id } else { "" }
    }

    private func advanced(_ stream: StreamName, _ count: Int, _ nanos: Int128) -> [NewEvent] {
        session.named([
            .priceCorrectionAdvanced(.init(id: correction, stream: stream, repriced: count, nanos: nanos))
        ])
    }

    // MARK: Usage

    /// Where rows were met that the catalogue may price now, in the order of account and day.
    private func unpricedDays() async throws -> [AccountDay] {
        var places: Set<AccountDay> = []
        for summary in try await session.store.allStreams(prefix: "unpriced-") {
            for recorded in try await session.store.readAll(stream: summary.stream) {
                guard case .modelUnpriced(let met) = try EventCatalogue.decode(recorded.event),
                    catalogue.match(provider: met.provider, model: met.model) != nil, let day = Day(met.day)
                else { continue }
                places.insert(AccountDay(account: met.account, day: day))
            }
        }
        return places.sorted { ($0.account, $0.day) < ($1.account, $1.day) }
    }

    private mutating func repriceUsage(_ place: AccountDay) async throws {
        let stream = StreamName.usage(account: place.account, day: place.day)
        while try await repriceBatch(of: stream) {}
    }

    private var command: UsageDay.Command {
        switch purpose {
        case .firstPrices: .reprice(catalogue)
        case .correction(let id, let scope, let reason): .correct(catalogue, scope, id: id, reason: reason)
        }
    }

    /// - Returns: whether there may be more.
    private mutating func repriceBatch(of stream: StreamName) async throws -> Bool {
        let (session, command, limit) = (session, command, Self.batchRows)
        var sums: (count: Int, nanos: Int128) = (0, 0)
        try await session.undisturbed {
            let (state, version) = try await session.store.fold(stream, with: UsageDay.self)
            let events = Array(try UsageDay.decide(command, state).prefix(limit))
            sums = (events.count, events.reduce(0) { $0 + $1.repricedNanos })
            guard !events.isEmpty else { return }
            try await session.append([
                StreamAppend(stream, expected: .exactly(version), session.named(events)),
                StreamAppend(.corrections, advanced(stream, sums.count, sums.nanos)),
            ])
        }
        rows += sums.count
        difference += sums.nanos
        return sums.count == limit
    }

    // MARK: Calls

    private mutating func repriceCalls(_ scope: PriceScope) async throws {
        for place in try await session.store.accountDays("calls-", scope) {
            let stream = StreamName.calls(account: place.account, day: place.day)
            // Whoever else reprices was quicker: what is left is decided again.
            for attempt in 1...Self.attempts {
                do {
                    try await repriceCalls(of: stream)
                    break
                } catch let error as StoreError {
                    guard error.isConflict, attempt < Self.attempts else { throw error }
                }
            }
        }
    }

    private static let attempts = 5

    private mutating func repriceCalls(of stream: StreamName) async throws {
        // Known before anything is read: who reprices in the meantime moves it, and the append is refused.
        var ledger = try await session.store.ledger().version
        var batch: [WireCallRepriced] = []
        let reading = self
        try await reading.forEachRepriced(in: stream) { repriced in
            batch.append(repriced)
            guard batch.count >= Self.batchCalls else { return }
            ledger = try await append(batch, to: stream, ledger)
            batch = []
        }
        if !batch.isEmpty { _ = try await append(batch, to: stream, ledger) }
    }

    /// What the stream's calls, as they were last stated, would be repriced with.
    private func forEachRepriced(
        in stream: StreamName, _ body: (WireCallRepriced) async throws -> Void
    ) async throws {
        var repricing = CallRepricing(purpose, catalogue)
        let summary = try await session.store.streams(prefix: stream.text, after: nil, limit: 1).first
        let parts = LastStatements.parts(of: summary?.version ?? .none)
        for part in 0..<parts {
            var last = LastStatements(part: part, of: parts)
            let through = try await session.store.forEach(in: stream) { event, recorded in
                last.see(event, recorded.version, where: repricing.concerns)
            }
            if last.isEmpty { continue }
            try await session.store.forEach(in: stream, through: through) { event, recorded in
                guard let call = last.call(event, recorded.version), let repriced = repricing.reprice(call) else {
                    return
                }
                try await body(repriced)
            }
        }
    }

    /// - Returns: the ledger's version afterwards.
    private mutating func append(
        _ batch: [WireCallRepriced], to stream: StreamName, _ ledger: StreamVersion
    ) async throws -> StreamVersion {
        let nanos = batch.reduce(Int128(0)) { $0 + Int128($1.difference.nanos) }
        // Gateways append to the day's stream all the time; the ledger alone says whether somebody else reprices.
        try await session.append([
            StreamAppend(stream, session.named(batch.map { .callRepriced($0) })),
            StreamAppend(.corrections, expected: .exactly(ledger), advanced(stream, batch.count, nanos)),
        ])
        calls += batch.count
        difference += nanos
        return ledger.next
    }
}

extension EventReader {
    /// The account days of streams of a category that a scope reaches, by account and day.
    /// - Parameter prefix: the category with its hyphen.
    func accountDays(_ prefix: String, _ scope: PriceScope) async throws -> [AccountDay] {
        try await allStreams(prefix: prefix).compactMap(\.stream.accountDay).filter { scope.covers($0.day) }
            .sorted { ($0.account, $0.day) < ($1.account, $1.day) }
    }
}

extension FinOpsEvent {
    fileprivate var repricedNanos: Int128 {
        if case .usageRepriced(let event) = self { Int128(event.difference.nanos) } else { 0 }
    }
}
