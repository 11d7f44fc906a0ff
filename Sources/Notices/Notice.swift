package import EventLog
package import FinOps

/// One message, as the facts it tells; how they are worded is the renderers' business.
package struct Notice: Sendable {
    /// Of the notification, the same for every attempt: repeats are recognised by it.
    package var id: String
    /// Where it goes, such as `slack` or `mail-en`.
    package var destination: String
    /// At least one and at most `mostFacts`, the most urgent first.
    package var facts: [Fact]
    /// How many it tells besides, for which there is no room: they are counted.
    package var unlisted: Int
    /// Facts about the same subjects that waited for this message and are not told one by one.
    package var heldBack: Int
    /// An earlier attempt may have arrived: the message says so.
    package var mayRepeat: Bool
    /// When it was composed.
    package var at: Timestamp

    package init(
        id: String, destination: String, facts: [Fact], unlisted: Int = 0, heldBack: Int = 0, mayRepeat: Bool = false,
        at: Timestamp
    ) {
        self.id = id
        self.destination = destination
        self.facts = facts
        self.unlisted = unlisted
        self.heldBack = heldBack
        self.mayRepeat = mayRepeat
        self.at = at
    }

    /// So many have a line in a message of any channel, whatever their names.
    package static let mostFacts = 100

    /// Something that is told.
    package struct Fact: Sendable {
        /// What kind of item asked for it: `NotificationQueued.kind`.
        package var kind: FactKind
        /// The event it tells; nil for a test or a canary.
        package var event: FinOpsEvent?
        /// Of that event; `.start` where there is none.
        package var position: Position
        /// When the log took it.
        package var recorded: Timestamp

        package init(kind: FactKind, event: FinOpsEvent?, position: Position, recorded: Timestamp) {
            self.kind = kind
            self.event = event
            self.position = position
            self.recorded = recorded
        }
    }
}

/// Where links of a message lead, and how its times are written.
package struct NoticeSettings: Sendable {
    /// What stands before `/projects/…`, without a slash at its end.
    package var consoleURL: String
    /// IANA name of the business zone, for times that have no zone of their own.
    package var zone: String

    package init(consoleURL: String, zone: String) {
        self.consoleURL = consoleURL
        self.zone = zone
    }
}

/// Takes a message to the other side, once.
package protocol NoticeDelivering: Sendable {
    /// Never throws: what goes wrong is an outcome.
    func deliver(_ notice: Notice) async -> DeliveryOutcome
}

/// What became of one attempt.
package enum DeliveryOutcome: Sendable, Hashable {
    /// The other side said that it has it; its words, free of secrets.
    case delivered(answer: String)
    case failed(DeliveryFailure)
}
