import EventLog
import FinOps
import Runtime

/// Prices rows that had no price when they were collected, once the catalogue has one. Rows that have a price keep it.
enum Repricing {
    /// The log takes so many events at once with room to spare.
    private static let batchEvents = 2_000

    /// - Returns: how many rows got a price.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    static func run(in session: AdministrationSession) async throws -> Int {
        let catalogue = try await PriceShelf.read(from: session.store).catalogue
        var repriced = 0
        for place in try await unpricedDays(in: session.store, pricedBy: catalogue) {
            repriced += try await reprice(place, with: catalogue, in: session)
        }
        return repriced
    }

    /// Where rows were met that the catalogue may price now, in the order of account and day.
    private static func unpricedDays(
        in log: some EventReader, pricedBy catalogue: PriceCatalogue
    ) async throws -> [AccountDay] {
        var places: Set<AccountDay> = []
        for summary in try await log.allStreams(prefix: "unpriced-") {
            for recorded in try await log.readAll(stream: summary.stream) {
                guard case .modelUnpriced(let met) = try EventCatalogue.decode(recorded.event),
                    catalogue.match(provider: met.provider, model: met.model) != nil, let day = Day(met.day)
                else { continue }
                places.insert(AccountDay(account: met.account, day: day))
            }
        }
        return places.sorted { ($0.account, $0.day) < ($1.account, $1.day) }
    }

    private static func reprice(
        _ place: AccountDay, with catalogue: PriceCatalogue, in session: AdministrationSession
    ) async throws -> Int {
        let stream = StreamName.usage(account: place.account, day: place.day)
        var repriced = 0
        while true {
            let count = try await session.undisturbed {
                let (state, version) = try await session.store.fold(stream, with: UsageDay.self)
                let events = session.named(Array(try UsageDay.decide(.reprice(catalogue), state).prefix(batchEvents)))
                if !events.isEmpty {
                    try await session.append([StreamAppend(stream, expected: .exactly(version), events)])
                }
                return events.count
            }
            if count == 0 { return repriced }
            repriced += count
        }
    }
}
