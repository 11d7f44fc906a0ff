package import EventLog
import SwiftProtobuf

/// Keys that may do only so much a minute, whichever gateways they use: which gateways let a key's calls through, as the log
/// tells all of them, and what this one has left of its equal part.
///
/// A gateway joins before it lets a first call through, and begins with nothing if others are there; each of them gives it
/// what it has beyond the smaller part. So all that the gateways have together is never more than the key's limits, but for
/// a request for each beyond the first, for what flows until the others hear of the joining, and for debts: a call that needs
/// more tokens than a part ever has begins once, and what it took beyond that has to flow back first.
package struct KeyPaces: Sendable {
    /// Whether a call may begin.
    package enum Answer: Hashable, Sendable {
        /// With so many tokens set aside.
        case admitted(tokens: Int64)
        /// - Parameter gateways: that share the limit, this one included.
        case limited(KeyRates.Measure, limit: UInt32, retryAfter: Int64, gateways: Int)
        /// The log has to be told first: append it, say `failed` if that fails, and ask again for the call.
        case mustJoin(KeyPaceJoining)
        /// The log has yet to tell of the joining, or the others to give: ask again when it has spoken.
        case waiting
    }

    /// A joining of this run.
    private struct Joining: Sendable {
        /// By the clock that nobody sets; nil when the log has told of it, or did not take it.
        var askedAt: Timestamp?
        /// What tells it from others, in Unix microseconds.
        var asked: Int64
        var isJoined = false
        /// It has let calls through, or may have: with the log's word, or without the log.
        var hasBegun = false
        /// The others may still give.
        var givenUntil: Timestamp?
    }

    /// What was heard of a key's use.
    struct Hearing: Hashable, Codable, Sendable {
        /// How long a gateway's part stands, in seconds.
        var stands: Int64
        /// When each was last heard, by the log's clock, in Unix microseconds.
        var gateways: [String: Int64] = [:]

        func isStanding(_ gateway: String, at moment: Timestamp) -> Bool {
            gateways[gateway].map { isStanding($0, at: moment) } ?? false
        }

        private func isStanding(_ last: Int64, at moment: Timestamp) -> Bool {
            (moment.microseconds &- last) / 1_000_000 < stands
        }

        /// Those that are there.
        func standing(at moment: Timestamp) -> [String: Int64] { gateways.filter { isStanding($0.value, at: moment) } }
    }

    /// What the log has told and was not acted on yet.
    private enum News: Sendable {
        case joined(isEmpty: Bool, parts: Int, told: Timestamp)
        case another(name: String, asked: Int64, before: Int, after: Int)
        case given(KeyRates.Gift, parts: Int)
    }

    package static let types: Set<EventType> = ["call.recorded", "key.pace-joined", "key.pace-given"]

    /// A gateway of which nothing was heard for so long has no part any more; longer where thirty of them would need longer for
    /// a request each.
    private static let partSeconds: Int64 = 300
    private static let requestsOfThirty: Int64 = 1_800
    /// It joins again so long before the others forget it: what it spends last, on calls of which nothing is recorded by then,
    /// is to have flown back by the time they have all.
    private static let marginSeconds: Int64 = 90
    /// A new run begins with nothing if an earlier one used the key so recently.
    private static let minuteSeconds: Int64 = 60
    /// Until then the others have given.
    private static let givingSeconds: Int64 = 1
    /// An answer that never came is given up after that.
    private static let patienceSeconds: Int64 = 10
    /// Beyond that many keys those that nobody uses are forgotten.
    private static let kept = 20_000
    private var nextForgetting = kept
    /// How far this clock is ahead of the log's, in microseconds, as of the last joining.
    private var ahead: Int64 = 0

    private let gateway: String
    package internal(set) var position: Position = .start
    /// By key.
    var heard: [String: Hearing] = [:]
    private var joinings: [String: Joining] = [:]
    /// When the last call began that an earlier run let through and the log may not have, in Unix microseconds.
    private var earlier: [String: Int64] = [:]
    private var news: [(key: String, News)] = []
    private var rates = KeyRates()

    /// - Parameter gateway: this one's name.
    package init(gateway: String) { self.gateway = gateway }

    // MARK: Asking

    /// - Parameters:
    ///   - tokens: the most that the call may need; what it did not need comes back by `settle`.
    ///   - running: by the clock that nobody sets.
    ///   - logAwaySince: when the log was last there, if it is away: a gateway then takes the part that it would have had.
    package mutating func admit(
        _ key: KeyFacts, tokens: Int64, at now: Timestamp, running: Timestamp, logAwaySince: Timestamp?
    ) -> Answer {
        if logAwaySince == nil {
            if !isIn(key.id, at: logTime(now)) { return join(key, at: now, running) }
        } else if joinings[key.id]?.hasBegun != true {
            beginAlone(key, at: now, running)
        }
        let gateways = sharers(of: key.id, at: logTime(logAwaySince ?? now))
        switch rates.admit(key, tokens: tokens, parts: gateways, at: running) {
        case .admitted(let tokens): return .admitted(tokens: tokens)
        case .limited(let measure, let limit, let seconds):
            if let until = joinings[key.id]?.givenUntil, running < until { return .waiting }
            return .limited(measure, limit: limit, retryAfter: seconds, gateways: gateways)
        }
    }

    /// Gives back what was set aside beyond what the call needed, or takes what it needed beyond that.
    package mutating func settle(
        _ key: KeyFacts, setAside: Int64, used: Int64, at now: Timestamp, running: Timestamp
    ) {
        guard key.tokensPerMinute > 0 else { return }
        rates.settle(key, setAside: setAside, used: used, parts: sharers(of: key.id, at: logTime(now)), at: running)
    }

    private func logTime(_ now: Timestamp) -> Timestamp { Timestamp(microseconds: now.microseconds &- ahead) }

    /// A call that was admitted does not begin after all.
    package mutating func release(_ key: KeyFacts, tokens: Int64, at now: Timestamp, running: Timestamp) {
        rates.release(key, tokens: tokens, parts: sharers(of: key.id, at: logTime(now)), at: running)
    }

    private func isIn(_ key: String, at now: Timestamp) -> Bool {
        guard joinings[key]?.isJoined == true else { return false }
        return heard[key]?.isStanding(gateway, at: now.advanced(bySeconds: Self.marginSeconds)) ?? false
    }

    /// This gateway and the others that are there.
    private func sharers(of key: String, at now: Timestamp) -> Int {
        guard let heard = heard[key] else { return 1 }
        return 1 + heard.gateways.keys.count { $0 != gateway && heard.isStanding($0, at: now) }
    }

    /// Without the log, in a run that has let none of its calls through.
    private mutating func beginAlone(_ key: KeyFacts, at now: Timestamp, _ running: Timestamp) {
        joinings[key.id, default: Joining(asked: .min / 2)].hasBegun = true
        if wasUsedByAnEarlierRun(key.id, at: logTime(now)) { rates.empty(key, parts: 1, at: running) }
    }

    private func wasUsedByAnEarlierRun(_ key: String, at moment: Timestamp) -> Bool {
        let last = max(heard[key]?.gateways[gateway] ?? .min, earlier[key] ?? .min)
        return last > moment.advanced(bySeconds: -Self.minuteSeconds).microseconds
    }

    // MARK: Joining

    private mutating func join(_ facts: KeyFacts, at now: Timestamp, _ running: Timestamp) -> Answer {
        let key = facts.id
        if let at = joinings[key]?.askedAt, running < at.advanced(bySeconds: Self.patienceSeconds) { return .waiting }
        // Later than any before it, whatever the clock does.
        let asked = max(now.microseconds, (joinings[key]?.asked ?? .min / 2) + 1)
        var joining = joinings[key] ?? Joining(asked: asked)
        (joining.askedAt, joining.asked, joining.givenUntil) = (running, asked, nil)
        joinings[key] = joining
        return .mustJoin(
            KeyPaceJoining(
                stream: .pace(key: key),
                event: .with {
                    $0.key = key
                    $0.gateway = gateway
                    $0.asked = asked
                    $0.stands = Self.stands(facts)
                }))
    }

    private static func stands(_ key: KeyFacts) -> Int64 {
        key.requestsPerMinute == 0
            ? partSeconds : max(partSeconds, requestsOfThirty / Int64(key.requestsPerMinute))
    }

    /// The log did not take it.
    package mutating func failed(_ joining: KeyPaceJoining) {
        guard joinings[joining.event.key]?.asked == joining.event.asked else { return }
        joinings[joining.event.key]?.askedAt = nil
    }

    /// Whether the joining is still wanted.
    package func isCurrent(_ joining: KeyPaceJoining) -> Bool {
        joinings[joining.event.key].map { $0.asked == joining.event.asked && $0.askedAt != nil } ?? false
    }

    /// A call of an earlier run that the log may not have.
    package mutating func noteEarlierRun(_ call: WireCallRecorded) {
        earlier[call.key] = max(earlier[call.key] ?? .min, call.started)
    }

    // MARK: Folding

    /// Takes an event in; one that is not among `types`, or that it knows already, changes nothing.
    package mutating func take(_ event: FinOpsEvent, _ recorded: RecordedEvent) {
        guard recorded.position > position else { return }
        position = recorded.position
        switch event {
        case .callRecorded(let call):
            // Whoever had no part any more has to join again, and gets one in order.
            guard heard[call.key]?.isStanding(call.gateway, at: recorded.recorded) == true else { return }
            heard[call.key]?.gateways[call.gateway] = recorded.recorded.microseconds
        case .keyPaceJoined(let event): take(event, at: recorded.recorded)
        case .keyPaceGiven(let event):
            guard event.to == gateway, let own = joinings[event.key], own.isJoined, own.asked == event.asked else {
                return
            }
            let gift = KeyRates.Gift(requests: Int64(clamping: event.requests), tokens: Int64(clamping: event.tokens))
            news.append((event.key, .given(gift, parts: sharers(of: event.key, at: recorded.recorded))))
        default: break
        }
    }

    private mutating func take(_ event: WireKeyPaceJoined, at moment: Timestamp) {
        let key = event.key
        let before = sharers(of: key, at: moment)
        let wasIn = joinings[key]?.isJoined == true && heard[key]?.isStanding(gateway, at: moment) == true
        let isUsed = joinings[key]?.hasBegun != true && wasUsedByAnEarlierRun(key, at: moment)
        var hearing = Hearing(stands: event.stands, gateways: heard[key]?.standing(at: moment) ?? [:])
        hearing.gateways[event.gateway] = moment.microseconds
        heard[key] = hearing
        if event.gateway == gateway {
            guard let own = joinings[key], own.askedAt != nil, own.asked == event.asked else { return }
            joinings[key]?.isJoined = true
            joinings[key]?.hasBegun = true
            joinings[key]?.askedAt = nil
            news.append((key, .joined(isEmpty: !wasIn && (before > 1 || isUsed), parts: before, told: moment)))
        } else if wasIn {
            let after = sharers(of: key, at: moment)
            news.append((key, .another(name: event.gateway, asked: event.asked, before: before, after: after)))
        }
        if heard.count > nextForgetting { forgetUnused(at: moment) }
    }

    private mutating func forgetUnused(at moment: Timestamp) {
        heard = heard.filter { !$0.value.standing(at: moment).isEmpty }
        joinings = joinings.filter { heard[$0.key] != nil || $0.value.askedAt != nil }
        nextForgetting = max(Self.kept, 2 * heard.count)
    }

    // MARK: Acting

    /// Whether the log has told something that calls may wait for.
    package var hasNews: Bool { !news.isEmpty }

    /// Does what the log's news ask for.
    /// - Returns: what others are given.
    package mutating func act(_ keys: KeyTable, at now: Timestamp, running: Timestamp) -> [KeyPaceGift] {
        defer { news = [] }
        return news.compactMap { id, news in
            guard let key = keys.facts(of: id) else { return nil }
            switch news {
            case .joined(let isEmpty, let parts, let told):
                ahead = now.microseconds &- told.microseconds
                if isEmpty { rates.empty(key, parts: parts, at: running) }
                joinings[id]?.givenUntil = parts > 1 ? running.advanced(bySeconds: Self.givingSeconds) : nil
            case .given(let gift, let parts): rates.take(gift, key, parts: parts, at: running)
            case .another(let name, let asked, let before, let after):
                let gift = rates.give(key, before: before, after: after, at: running)
                if gift != KeyRates.Gift() { return present(gift, of: id, to: name, asked, running) }
            }
            return nil
        }
    }

    private func present(
        _ gift: KeyRates.Gift, of key: String, to name: String, _ asked: Int64, _ running: Timestamp
    ) -> KeyPaceGift {
        KeyPaceGift(
            stream: .pace(key: key),
            event: .with {
                $0.key = key
                $0.gateway = gateway
                $0.to = name
                $0.asked = asked
                $0.requests = UInt64(gift.requests)
                $0.tokens = UInt64(gift.tokens)
            }, given: running)
    }
}

/// A gateway's word that it lets a key's calls through from now on.
package struct KeyPaceJoining: Hashable, Sendable {
    package let stream: StreamName
    package let event: WireKeyPaceJoined
}

/// What a gateway gives to one that has joined. It is the other's only if the log takes it soon: later it would come on top of
/// what has flown back.
package struct KeyPaceGift: Hashable, Sendable {
    package let stream: StreamName
    package let event: WireKeyPaceGiven
    /// By the clock that nobody sets.
    let given: Timestamp

    private static let patienceSeconds: Int64 = 2

    /// - Parameter running: by the clock that nobody sets.
    package func isCurrent(at running: Timestamp) -> Bool { running < given.advanced(bySeconds: Self.patienceSeconds) }
}
