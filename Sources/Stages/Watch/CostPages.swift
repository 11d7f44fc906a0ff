import EventLog
import FinOps

/// Reads what the log holds of a UTC day for the watch: its costs in all accounts, and the alerts of windows that begin on it.
struct CostPages: Sendable {
    let reader: any EventReader
    /// The accounts that costs were ever recorded for: their streams make up a day.
    private(set) var accounts: Set<String> = []

    private static let categories = ["usage", "allocation", "calls"]
    /// The first read of a stream: one that lies wholly beyond the bound is not read far.
    private static let firstEvents = 64

    init(reader: any EventReader) { self.reader = reader }

    /// The accounts of the streams there are.
    func accountsOfLog() async throws(StoreError) -> Set<String> {
        var accounts: Set<String> = []
        for category in Self.categories {
            for summary in try await reader.allStreams(prefix: "\(category)-") {
                if let account = summary.stream.accountDay?.account { accounts.insert(account) }
            }
        }
        return accounts
    }

    mutating func learn(_ accounts: Set<String>) { self.accounts.formUnion(accounts) }

    /// What the log has of a day's costs up to a position, to be read piece by piece: calls are many.
    func costs(of day: Day, through position: Position) -> Costs {
        let streams = accounts.sorted().flatMap { account -> [StreamName] in
            [
                .usage(account: account, day: day), .allocation(account: account, day: day),
                .calls(account: account, day: day),
            ]
        }
        return Costs(streams: streams, through: position, reader: reader)
    }

    /// The findings about windows that begin on a day: all there are, in order.
    func alerts(from day: Day) async throws(StoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        for kind in WindowKind.allCases { events += try await reader.readAll(stream: .alerts(kind, firstDay: day)) }
        return events
    }

    /// Some streams, one after another, up to a position.
    struct Costs: Sendable {
        private var streams: ArraySlice<StreamName>
        private let bound: Position
        private let reader: any EventReader
        private var version = StreamVersion.none
        private var limit = CostPages.firstEvents

        fileprivate init(streams: [StreamName], through bound: Position, reader: any EventReader) {
            self.streams = streams[...]
            self.bound = bound
            self.reader = reader
        }

        /// - Returns: the next events, in the order of their stream; nil at the end.
        mutating func next() async throws(StoreError) -> [RecordedEvent]? {
            while let stream = streams.first {
                let page = try await reader.read(stream: stream, after: version, limit: limit)
                guard let last = page.last, last.position <= bound else {
                    streams.removeFirst()
                    (version, limit) = (.none, CostPages.firstEvents)
                    let within = page.prefix { $0.position <= bound }
                    if within.isEmpty { continue }
                    return Array(within)
                }
                version = last.version
                limit = EventLimits.readEvents
                return page
            }
            return nil
        }
    }
}
