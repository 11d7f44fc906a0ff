/// A provider account as the collection sees it: statements about whole UTC days, always the newest ones.
package protocol UsageSource: Sendable {
    /// What was metered on these UTC days, as far as they have begun.
    /// - Parameter now: Unix seconds; nothing later is asked for.
    func usage(of days: ClosedRange<Day>, now: Int64) async throws(SourceFailure) -> UsageStatement

    /// What was billed for these UTC days; nil from an account whose interface tells no costs.
    func bills(of days: ClosedRange<Day>, now: Int64) async throws(SourceFailure) -> BillStatement?

    /// What has been asked so far.
    var effort: SourceEffort { get async }
}

/// All rows of the days that were asked for. A row that is not in it is not there any more, if its kind was told.
package struct UsageStatement: Hashable, Sendable {
    /// Rows of equal identity are already added up.
    package var rows: [WireUsageRow]
    /// The kinds of usage it speaks about; of others it says nothing, not even that there is none.
    package var kinds: Set<String>
    /// What a person should know about it: endpoints that do not exist, data that was not understood.
    package var notes: [String]

    package init(rows: [WireUsageRow] = [], kinds: Set<String> = [], notes: [String] = []) {
        self.rows = rows
        self.kinds = kinds
        self.notes = notes
    }
}

/// All rows of the bill for the days that were asked for.
package struct BillStatement: Hashable, Sendable {
    package var rows: [WireBillRow]
    package var notes: [String]

    package init(rows: [WireBillRow] = [], notes: [String] = []) {
        self.rows = rows
        self.notes = notes
    }
}

/// How much a source had to ask for its statements.
package struct SourceEffort: Hashable, Sendable {
    package var requests: Int
    package var retries: Int

    package init(requests: Int = 0, retries: Int = 0) {
        self.requests = requests
        self.retries = retries
    }
}

/// Why a provider gave no statement. Nothing in it is secret.
package struct SourceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable {
        case notAuthorised = "not-authorised"
        case throttled
        case unreachable
        /// The provider answers with an error of its own, or its endpoint is away for now.
        case unavailable
        case malformedAnswer = "malformed-answer"
        case misconfigured
        /// It says no, for a reason that is neither the credential nor passing.
        case refused
        /// The endpoint or object does not exist there.
        case notFound = "not-found"
        case answerTooLarge = "answer-too-large"
        case cancelled
    }

    package let kind: Kind
    package let message: String
    /// Whether the same question may be answered later without a change on our side.
    package let isRetriable: Bool

    package init(_ kind: Kind, _ message: String, isRetriable: Bool? = nil) {
        self.kind = kind
        self.message = message
        self.isRetriable =
            isRetriable ?? (kind == .throttled || kind == .unreachable || kind == .unavailable || kind == .cancelled)
    }

    package var code: String { kind.rawValue }
    package var description: String { "\(message) (\(code))" }
}
