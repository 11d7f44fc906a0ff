package import EventLog

/// One attempt at one call. Its start belongs to it: callers choose what groups attempts, and may say the same again, which
/// must not make two attempts one where money is counted.
package struct CallAttempt: Hashable, Codable, Sendable {
    package let call: String
    /// From 1.
    package let attempt: UInt32
    /// Unix microseconds.
    package let started: Int64

    package init(call: String, attempt: UInt32, started: Timestamp) {
        self.call = call
        self.attempt = attempt
        self.started = started.microseconds
    }

    package init(_ event: WireCallRecorded) {
        self.init(call: event.call, attempt: event.attempt, started: Timestamp(microseconds: event.started))
    }

    /// Attempts hardly ever start in the same microsecond, and a number costs less than a text.
    package func hash(into hasher: inout Hasher) { hasher.combine(started) }
}

/// How limits are held.
package struct BudgetTerms: Hashable, Sendable {
    /// How long a part of a limit may be spent without a word to the log: so long calls under a limit go on while the log is
    /// away, and so long a dead gateway's part is lost to the others.
    package var leaseSeconds: Int64 = 120
    /// Before its end a gateway stops spending from a part: clocks differ.
    package var marginSeconds: Int64 = 10
    /// After the log was away a gateway that lives has renewed its parts by then.
    package var graceSeconds: Int64 = 10
    /// A call that has said nothing for so long holds no part of a limit any more.
    package var reservationSeconds: Int64 = 900
    /// Nano-units for a million tokens, of calls that have no price.
    package var unpricedPerMillion: Int64

    package init(unpricedPerMillion: Int64) { self.unpricedPerMillion = unpricedPerMillion }
}

/// Whether a call may begin.
package enum BudgetAnswer: Hashable, Sendable {
    case admitted
    case refused(LimitReached)
    /// The log has to be asked first: append each, all in one request, with exactly the version that it expects; then say
    /// `granted` or `failed`, and ask again for the call.
    case needsLease([LeaseRequest])
    /// Another call has asked already, or this run does not spend yet: ask again when that is over.
    case waiting
}

/// A limit that leaves no room for a call.
package struct LimitReached: Hashable, Sendable {
    package let scope: CostScope
    package let window: CostWindow
    /// IANA, of the window's days.
    package let zone: String
    package let limit: Money
    /// By calls that have ended, as far as this gateway knows.
    package let spent: Money
    /// By calls under way, and for other gateways.
    package let setAside: Money
    /// When what stands in the way is free again, by the clock that nobody sets, where that are calls which a kill cut short;
    /// nil: it is others.
    package let heldUntil: Timestamp?
    /// Whether the limit itself is spent: else there is room again when calls under way have ended.
    package var isSpent: Bool { spent.nanos >= limit.nanos }
    /// When the next window begins.
    package var resets: Timestamp { window.end }
}

/// A part of a limit that the log is asked for.
package struct LeaseRequest: Hashable, Sendable {
    package let stream: StreamName
    /// Exactly.
    package let expected: StreamVersion
    package let event: WireBudgetLeased
    let window: WindowID
}

/// A window of a scope: what a limit is about, whatever its zone.
struct WindowID: Hashable, Codable, Sendable {
    let scope: CostScope
    let kind: WindowKind
    let firstDay: Day

    var stream: StreamName { .budget(scope, kind, firstDay: firstDay) }

    init(scope: CostScope, kind: WindowKind, firstDay: Day) {
        self.scope = scope
        self.kind = kind
        self.firstDay = firstDay
    }

    /// - Returns: nil for what no writer of ours writes.
    init?(_ event: WireBudgetLeased) {
        guard let scope = CostScope(kind: event.scope, name: event.name), let kind = WindowKind(rawValue: event.window),
            let firstDay = Day(event.firstDay)
        else { return nil }
        self.init(scope: scope, kind: kind, firstDay: firstDay)
    }

    private enum CodingKeys: String, CodingKey { case scope, name, kind, day }

    init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        let (kindText, nameText) = (
            try box.decode(String.self, forKey: .scope), try box.decode(String.self, forKey: .name)
        )
        guard let scope = CostScope(kind: kindText, name: nameText),
            let kind = WindowKind(rawValue: try box.decode(String.self, forKey: .kind))
        else { throw DecodingError.dataCorrupted(.init(codingPath: box.codingPath, debugDescription: "no window")) }
        self.init(scope: scope, kind: kind, firstDay: Day(number: try box.decode(Int.self, forKey: .day)))
    }

    func encode(to encoder: any Encoder) throws {
        var box = encoder.container(keyedBy: CodingKeys.self)
        try box.encode(scope.kind, forKey: .scope)
        try box.encode(scope.name, forKey: .name)
        try box.encode(kind.rawValue, forKey: .kind)
        try box.encode(firstDay.number, forKey: .day)
    }
}

/// An amount of a project in a slot.
struct Charge: Hashable, Sendable {
    let project: String
    /// Unix seconds of its beginning: a call counts in the slot in which it started.
    let slot: Int64
    let nanos: Int64
}

/// A part of a window's limit that a gateway may spend by itself.
struct Lease: Hashable, Codable, Sendable {
    /// What the gateway may have spent in the whole window, what it has spent included.
    let nanos: Int64
    /// Unix seconds.
    let expires: Int64
    let zone: String
    let position: UInt64

    /// As long as it may be spent, nobody else may count on it.
    func isStanding(at now: Timestamp) -> Bool { now.seconds < expires }
}

/// What is known and under way about the parts of one window.
struct LeaseBook: Sendable {
    /// Of its stream.
    var version = StreamVersion.none
    /// By gateway.
    var parts: [String: Lease] = [:]
    /// When the log was asked for another part; nil when no answer is due.
    var asked: Timestamp?
    /// Of calls that were told to wait since then, the bounds in nano-units: they ask again and again.
    private var waiting: [CallAttempt: Int128] = [:]
    private var wanted: Int128 = 0
    /// A smaller part that was asked for counts at once, whether the answer comes or not: others may count on the rest.
    var ceiling: Int64?
    /// Of the calls here.
    var largestBound: Int64 = 0
    var lastUse = Timestamp.distantPast

    init(version: StreamVersion = .none, parts: [String: Lease] = [:]) {
        self.version = version
        self.parts = parts
    }

    mutating func wait(_ attempt: CallAttempt, _ nanos: Int128) {
        // Of more than these the sum is as good.
        if waiting.count < Self.mostWaiting, waiting.updateValue(nanos, forKey: attempt) == nil { wanted += nanos }
    }

    mutating func waitsNoMore(_ attempt: CallAttempt) {
        if !waiting.isEmpty, let nanos = waiting.removeValue(forKey: attempt) { wanted -= nanos }
    }

    /// What others wait for, nano-units.
    func wanted(beside attempt: CallAttempt) -> Int128 { wanted - (waiting[attempt] ?? 0) }

    mutating func nobodyWaits() {
        waiting = [:]
        wanted = 0
    }

    private static let mostWaiting = 10_000
}
