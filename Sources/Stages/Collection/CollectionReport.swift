package import EventLog
package import FinOps

/// Why a run takes place; one word in its record.
package enum CollectionKind: String, Hashable, Sendable {
    /// `daily` and `poll` come by the schedule, `once` and `backfill` by a person's command.
    case daily, poll, once, backfill
}

/// The provider account a run is about.
package struct CollectedAccount: Hashable, Sendable {
    /// Such as `openai`.
    package let provider: String
    /// The account's name among the provider's; the streams of its days carry it.
    package let name: String
    /// What may be shown of the key it is read with.
    package let keyMask: String

    package init(provider: String, name: String, keyMask: String) {
        self.provider = provider
        self.name = name
        self.keyMask = keyMask
    }

    package init(_ connection: WireConnectionMade) {
        self.init(provider: connection.provider, name: connection.account, keyMask: connection.keyMask)
    }
}

/// What a run came to. What it committed stays committed, also where it failed in the end.
package struct CollectionReport: Hashable, Sendable {
    package let account: CollectedAccount
    package let kind: CollectionKind
    /// Business days, both included.
    package let days: ClosedRange<Day>
    /// Every event of the run has it as its correlation.
    package let run: EventID
    /// Rows of usage and of bills that the provider delivered.
    package var rows = 0
    /// Rows stated for the first time.
    package var recorded = 0
    /// Rows that are now stated differently.
    package var restated = 0
    /// As far as the run came.
    package var effort = SourceEffort()
    /// What a person should know, each once.
    package var notes: [String] = []
    /// nil for a run that came to its end.
    package var failure: SourceFailure?

    package init(
        account: CollectedAccount, kind: CollectionKind, days: ClosedRange<Day>, run: EventID,
        failure: SourceFailure? = nil
    ) {
        self.account = account
        self.kind = kind
        self.days = days
        self.run = run
        self.failure = failure
    }

    mutating func note(_ notes: [String]) {
        for note in notes where !self.notes.contains(note) { self.notes.append(note) }
    }

    mutating func count(_ events: [FinOpsEvent]) {
        for event in events {
            switch event {
            case .usageRecorded, .billRecorded: recorded += 1
            case .usageRestated, .billRestated: restated += 1
            default: break
            }
        }
    }
}
