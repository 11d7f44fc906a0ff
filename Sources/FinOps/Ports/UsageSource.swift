package import EventLog

/// A provider account as the collection sees it: statements about whole UTC days, always the newest ones.
package protocol UsageSource: Sendable {
    /// What was metered on these UTC days, as far as they have begun.
    /// - Parameter now: nothing later is asked for; it is also when the statement was observed.
    func usage(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        UsageObservation
    >

    /// What was billed for these UTC days; nil from an account whose interface tells no costs.
    func bills(of days: ClosedRange<Day>, at now: Timestamp) async throws(SourceFailure) -> SourceAnswer<
        BillObservation
    >?

    /// What has been asked so far.
    var effort: SourceEffort { get async }
}

/// A source's answer, and what a person should know about it: endpoints that do not exist there, data that was not
/// understood.
package struct SourceAnswer<Observation: Sendable>: Sendable {
    package var observation: Observation
    /// One sentence each; none when all was understood.
    package var notes: [String]
    /// UTC days about which something was said that makes no sense, and what: of these the observation is no statement.
    package var rejected: [Day: SourceFailure]

    package init(_ observation: Observation, notes: [String] = [], rejected: [Day: SourceFailure] = [:]) {
        self.observation = observation
        self.notes = notes
        self.rejected = rejected
    }
}

/// How much a source had to ask for its statements.
package struct SourceEffort: Hashable, Sendable {
    /// Sent over the network, repeated ones included.
    package var requests: Int
    /// How many of these repeated one that failed.
    package var retries: Int

    package init(requests: Int = 0, retries: Int = 0) {
        self.requests = requests
        self.retries = retries
    }
}

/// Why a provider gave no statement. Nothing in it is secret.
package struct SourceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The word for it in events and answers.
    package enum Kind: String, Hashable, Sendable {
        /// The credential is unknown there, or may not read this.
        case notAuthorised = "not-authorised"
        /// Too many questions in a time; later ones may be answered.
        case throttled
        /// No answer came: the name, the connection, TLS or the time ran out.
        case unreachable
        /// The provider answers with an error of its own, or its endpoint is away for now.
        case unavailable
        /// An answer came that is not what the interface promises.
        case malformedAnswer = "malformed-answer"
        /// Something on our side must change before asking again makes sense.
        case misconfigured
        /// It says no, for a reason that is neither the credential nor passing.
        case refused
        /// The endpoint or object does not exist there.
        case notFound = "not-found"
        /// More bytes than we hold.
        case answerTooLarge = "answer-too-large"
        /// We were asked to stop.
        case cancelled
        /// The process that asked was killed.
        case abandoned
    }

    package let kind: Kind
    /// One sentence for a person.
    package let message: String
    /// Whether the same question may be answered later without a change on our side.
    package let isRetriable: Bool

    /// - Parameter isRetriable: nil for what the kind usually means.
    package init(_ kind: Kind, _ message: String, isRetriable: Bool? = nil) {
        self.kind = kind
        self.message = message
        self.isRetriable =
            isRetriable ?? (kind == .throttled || kind == .unreachable || kind == .unavailable || kind == .cancelled)
    }

    package var code: String { kind.rawValue }
    package var description: String { "\(message) (\(code))" }
}
