import EventLog
import FinOps

/// Reads what the log holds of a UTC day for the watch: its costs in all accounts, and the alerts of windows that begin on it.
struct CostPages: Sendable {
    let reader: any EventReader
    /// The accounts that costs were ever recorded for: their streams make up a day.
    private(set) var accounts: Set<String> = []

    private static let categories = ["usage", "allocation"]
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

    /// The costs of a day up to a position, stream by stream.
    func costs(of day: Day, through position: Position) async throws(StoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        for account in accounts.sorted() {
            for stream in [StreamName.usage(account: account, day: day), .allocation(account: account, day: day)] {
                try await read(stream, through: position, into: &events)
            }
        }
        return events
    }

    /// The findings about windows that begin on a day: all there are, in order.
    func alerts(from day: Day) async throws(StoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        for kind in WindowKind.allCases { events += try await reader.readAll(stream: .alerts(kind, firstDay: day)) }
        return events
    }

    private func read(
        _ stream: StreamName, through position: Position, into events: inout [RecordedEvent]
    ) async throws(StoreError) {
        var limit = Self.firstEvents
        var version = StreamVersion.none
        while true {
            let page = try await reader.read(stream: stream, after: version, limit: limit)
            guard let last = page.last else { return }
            if last.position > position { return events += page.prefix { $0.position <= position } }
            events += page
            version = last.version
            limit = EventLimits.readEvents
        }
    }
}
