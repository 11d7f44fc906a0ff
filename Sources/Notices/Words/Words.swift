import FinOps

/// Every text that notices are made of. A language is a type that conforms: a text that one of them lacks does not compile.
/// All of them return plain text; what has to be escaped is the channels' business.
protocol Words: Sendable {
    /// BCP 47.
    var tag: String { get }

    /// What stands in the first line's brackets.
    func label(_ label: Label) -> String
    /// What stands before a value.
    func caption(_ caption: Caption) -> String
    var organisation: String { get }
    var details: String { get }

    // Time
    func day(_ day: Day) -> String
    func shortDay(_ day: Day) -> String
    func days(from first: Day, through last: Day) -> String
    func moment(_ moment: ZonedMoment) -> String
    func window(_ span: WindowSpan) -> String
    func shortWindow(_ span: WindowSpan) -> String

    // Crossings and clearings
    func level(_ level: UInt32, limit: String) -> String
    /// - Parameter moment: nil where nobody knows how far usage is known.
    func asOf(_ moment: String?, basis: CostBasis, position: String) -> String
    func change(_ change: ComparedCost, _ kind: WindowKind) -> String
    func cause(_ consumer: Phrase, cost: String, growth: String, _ kind: WindowKind) -> Phrase
    func noGrowth(_ kind: WindowKind) -> String
    func consumer(key: String?, model: String?, account: String) -> Phrase
    func forecast(_ cost: String, share: String?, _ kind: WindowKind) -> String
    var disableKey: String { get }
    func correction(_ clearing: ClearingInWords) -> String

    // Collections
    func runKind(_ kind: String) -> String
    func alreadyRecorded(recorded: Int64, restated: Int64) -> String
    func nextAfterFailure(isRetriable: Bool) -> String
    var findCause: String { get }
    var connectAgain: String { get }
    var collectAgain: String { get }

    // Models without a price
    func unpriced(_ model: String) -> String
    var utcDay: String { get }
    var importPrices: String { get }

    // Conditions
    func condition(_ kind: Label, _ subject: String, since: String) -> String
    func consequence(_ kind: Label) -> String
    func conditionEnded(_ kind: Label, _ subject: String, since: String, until: String) -> String
    var lookAtStages: String { get }
    var lookInside: String { get }
    var seeWhatDiffers: String { get }

    // Tests
    var testSubject: String { get }
    func test(_ destination: String) -> String
    var canary: String { get }
    /// For an item whose event is not what its kind says.
    func unreadable(position: String) -> String

    // About the message as a whole
    func others(_ count: Int) -> String
    func othersTitle(_ count: Int) -> String
    func heldBack(_ count: Int) -> String
    /// What the message is about, too, and has no line for.
    func unlisted(_ count: Int) -> String
    var mayRepeat: String { get }
    func colophon(sent: String, notification: String) -> String
    var whyThisMail: String { get }
}

/// What kind of thing happened.
enum Label: Hashable, Sendable, CaseIterable {
    case exceeded
    case warned
    case corrected
    case collectionFailed
    case modelUnpriced
    case sourceSilent
    case evaluationStalled
    case projectionLagging
    case costsUnexplained
    case usageNotKept
    case usageLost
    case otherCondition
    case recovered
    case test
    case canary
    case alert
}

/// What a value is.
enum Caption: Hashable, Sendable, CaseIterable {
    case window
    case level
    case asOf
    case change
    case cause
    case forecast
    case days
    case account
    case key
    case run
    case error
    case recorded
    case next
    case model
    case reason
    case since
    case detail
}

/// What a cost rests on, as events say it.
enum CostBasis: Hashable, Sendable {
    case metered
    case billed
    case estimated
    case mixed
    case other(String)

    init(_ word: String) {
        self =
            switch word {
            case "metered": .metered
            case "billed": .billed
            case "estimated": .estimated
            case "mixed": .mixed
            default: .other(OutsideText.name(word))
            }
    }
}

/// A window's cost beside that of the window before, up to the same distance from its start.
enum ComparedCost: Hashable, Sendable {
    case nothingBefore
    case same(String)
    /// The share is nil where no per cent can be given.
    case changed(before: String, difference: String, share: String?)
}

/// What a clearing takes back, and why.
struct ClearingInWords: Hashable, Sendable {
    enum Reason: Hashable, Sendable {
        case cost
        case limit
        case removed
        /// The zone that the window was of, which is no longer the threshold's.
        case zone(String)
    }

    let subject: String
    let window: String?
    let level: UInt32
    let reason: Reason
    let cost: String
    let limit: String
    let share: String?
}
