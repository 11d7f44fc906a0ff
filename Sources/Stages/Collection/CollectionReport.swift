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
    /// UTC days that were left out because what was said of them makes no sense, in the order in which they were met.
    package private(set) var rejections: [Rejection] = []
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

    /// A day's statement that was left out.
    package struct Rejection: Hashable, Sendable {
        package enum Subject: String, Hashable, Sendable { case usage, bill }

        package let subject: Subject
        package let day: Day
        /// Names the place and the field.
        package let reason: SourceFailure
    }

    mutating func reject(_ subject: Rejection.Subject, _ days: [Day: SourceFailure]) {
        for (day, reason) in days.sorted(by: { $0.key < $1.key }) {
            rejections.append(Rejection(subject: subject, day: day, reason: reason))
        }
    }

    /// A run that left days out has failed, whatever else it did.
    mutating func judgeRejections() {
        guard let first = rejections.first else { return }
        var sentences = rejections.prefix(Self.toldRejections).map { rejection in
            "the \(rejection.subject.rawValue) of \(rejection.day) was left out: \(rejection.reason.message)"
        }
        if rejections.count > sentences.count {
            sentences.append("so were \(rejections.count - sentences.count) more days")
        }
        failure = SourceFailure(
            failure?.kind ?? first.reason.kind,
            ((failure.map { [$0.message] } ?? []) + sentences).joined(separator: "; "),
            isRetriable: failure?.isRetriable ?? first.reason.isRetriable)
    }

    /// More are counted, not told one by one.
    private static let toldRejections = 5

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
