package import EventLog
import SwiftProtobuf

/// Parts of limits: how much to ask the log for, and when to give some back.
extension Budget {
    /// What one window says to a call.
    enum Judgement {
        case room
        case none(LimitReached)
        case ask(LeaseRequest)
        /// The log was asked already, or may not be asked yet.
        case wait
    }

    /// An answer that never came is given up after that.
    private static let patienceSeconds: Int64 = 10
    /// Far from the limit a part is this share of what is left, so that the log is asked seldom.
    private static let share: Int128 = 4
    /// A gateway that has not called for so long keeps nothing for itself while others want it.
    private static let idleSeconds: Int64 = 5

    func judge(_ id: WindowID, _ attempt: CallAttempt, bound: Int64, at now: Timestamp) -> Judgement {
        guard let account = account(id) else { return .room }
        let book = books[id] ?? LeaseBook()
        let isAsked = book.asked.map { now < $0.advanced(bySeconds: Self.patienceSeconds) } ?? false
        let mustWait = isAsked || spendsFrom == nil
        let used = account.used(by: gateway)
        // First: the part that met the limit may have room left beyond it.
        let rest = Int128(account.limit) - others(book, account, at: now) - used
        // No part is large enough for a sum that cannot be named: asked for it, the log would be asked for ever.
        guard rest > 0, used + Int128(bound) <= Int128(Int64.max) else {
            let reached = reached(id, account, book, at: now)
            // Others give back what they do not need only to those of whom they know.
            let isKnown = book.parts[gateway]?.isStanding(at: now) ?? false
            if isKnown || reached.isSpent || rest > 0 { return .none(reached) }
            if mustWait { return .wait }
            return .ask(request(id, account, book, nanos: used, at: now))
        }
        if let part = spendable(book, account, at: now), used + Int128(bound) <= Int128(part) { return .room }
        if mustWait { return .wait }
        return .ask(
            request(
                id, account, book, nanos: used + share(of: rest, bound: bound, wanted: book.wanted(beside: attempt)),
                at: now))
    }

    /// A quarter of the rest where that is a lot of calls; near the limit what the calls need that wait, and at the very end
    /// what one call needs, even if that is more than the rest.
    private func share(of rest: Int128, bound: Int64, wanted: Int128) -> Int128 {
        let need = Int128(bound) + wanted
        guard need <= rest else { return max(Int128(bound), rest) }
        let quarter = (rest - need) / Self.share
        return need + (quarter >= Self.share * Int128(bound) ? quarter : 0)
    }

    /// The own part, if it may be spent from now.
    private func spendable(_ book: LeaseBook, _ account: Account, at now: Timestamp) -> Int64? {
        guard let from = spendsFrom, let own = book.parts[gateway], own.position > from.value else { return nil }
        return standing(book, account, at: now)
    }

    /// The own part, whichever run was given it.
    private func standing(_ book: LeaseBook, _ account: Account, at now: Timestamp) -> Int64? {
        guard let own = book.parts[gateway], own.zone == account.zone, own.position > account.limitPosition,
            now.seconds < own.expires - terms.marginSeconds
        else { return nil }
        return min(own.nanos, book.ceiling ?? .max)
    }

    /// What other gateways have spent or may spend.
    private func others(_ book: LeaseBook, _ account: Account, at now: Timestamp) -> Int128 {
        var sum: Int128 = 0
        for (name, spent) in account.spent where name != gateway && book.parts[name] == nil { sum += spent }
        for (name, part) in book.parts where name != gateway {
            let spent = account.spent[name] ?? 0
            sum += isHeldByAnother(part, at: now) ? max(spent, Int128(part.nanos)) : spent
        }
        return sum
    }

    private func request(
        _ id: WindowID, _ account: Account, _ book: LeaseBook, nanos: Int128, at now: Timestamp
    ) -> LeaseRequest {
        LeaseRequest(
            stream: id.stream, expected: book.version,
            event: .with {
                $0.scope = id.scope.kind
                $0.name = id.scope.name
                $0.window = id.kind.rawValue
                $0.firstDay = id.firstDay.description
                $0.zone = account.zone
                $0.gateway = gateway
                $0.amount = Money(clamping: nanos, currency: currency).wire
                $0.expires = now.seconds + terms.leaseSeconds
            }, window: id)
    }

    private func reached(_ id: WindowID, _ account: Account, _ book: LeaseBook, at now: Timestamp) -> LimitReached {
        let spent = account.spent.values.reduce(account.unlogged, +)
        let used = others(book, account, at: now) + account.used(by: gateway)
        return LimitReached(
            scope: id.scope, window: account.window, zone: account.zone,
            limit: Money(nanos: account.limit, currency: currency), spent: Money(clamping: spent, currency: currency),
            setAside: Money(clamping: max(0, used - spent), currency: currency),
            heldUntil: used - account.held < Int128(account.limit) ? account.heldUntil : nil)
    }

    // MARK: Asking

    mutating func note(_ request: LeaseRequest, at now: Timestamp) {
        books[request.window, default: LeaseBook()].asked = now
        books[request.window]?.nobodyWaits()
    }

    /// The log has taken it.
    /// - Parameter position: of its event, as the receipt says.
    package mutating func granted(_ request: LeaseRequest, position: Position) {
        adopt(request.event, request.window, version: request.expected.next, position: position)
    }

    /// The log has refused it, or did not answer: whether it was written the subscription will tell.
    package mutating func failed(_ request: LeaseRequest) {
        // Another one may have been made since.
        guard books[request.window]?.asked?.seconds == request.event.expires - terms.leaseSeconds else { return }
        books[request.window]?.asked = nil
    }

    /// Whether the log may still take it: else it need not be asked, and what was asked for is not what is needed now.
    package func isCurrent(_ request: LeaseRequest, at now: Timestamp) -> Bool {
        (books[request.window]?.version ?? .none) == request.expected
            && now.seconds < request.event.expires - terms.leaseSeconds / 2
    }

    /// A part, whoever told of it first: the log's answer or the subscription.
    mutating func adopt(_ event: WireBudgetLeased, _ id: WindowID, version: StreamVersion, position: Position) {
        var book = books[id] ?? LeaseBook()
        guard version > book.version else { return }
        book.version = version
        book.parts[event.gateway] = Lease(
            nanos: event.amount.currency == currency.code ? event.amount.nanos : 0, expires: event.expires,
            zone: event.zone, position: position.value)
        if event.gateway == gateway {
            book.asked = nil
            book.ceiling = nil
        }
        books[id] = book
    }

    // MARK: Keeping and giving back

    /// What is to be asked of the log by the way, about once a second: parts that end soon and are in use are extended, and
    /// what this gateway does not need is given back where others may want it. Each request stands for itself.
    /// - Parameter running: as in `reserve`.
    package mutating func maintain(at now: Timestamp, running: Timestamp? = nil) -> [LeaseRequest] {
        guard spendsFrom != nil else { return [] }
        expire(at: running ?? now)
        var requests: [LeaseRequest] = []
        for id in ownWindows(at: now) {
            let book = books[id] ?? LeaseBook()
            guard book.asked == nil, let account = account(id), now < account.window.end || account.reserved > 0
            else { continue }
            let used = account.used(by: gateway)
            guard let part = standing(book, account, at: now), let own = book.parts[gateway] else {
                // The part is over, or of a limit that has changed; others must know of what is under way all the same.
                guard account.isOwing else { continue }
                let request = request(id, account, book, nanos: used, at: now)
                note(request, at: now)
                requests.append(request)
                continue
            }
            let leftover = max(0, Int128(part) - used)
            let kept = min(leftover, needed(leftover, account, book, part: part, at: now))
            let isUsed = account.reserved > 0 || isBusy(book, at: now)
            let endsSoon = own.expires - now.seconds < terms.leaseSeconds / 2
            // It was given back, and the log did not take the word.
            let isUntold = part < own.nanos
            guard kept < leftover || isUntold || (endsSoon && isUsed) else { continue }
            let request = request(id, account, book, nanos: used + kept, at: now)
            note(request, at: now)
            if kept < leftover { books[id]?.ceiling = request.event.amount.nanos }
            requests.append(request)
        }
        return requests
    }

    /// What is to be kept of the part: all, unless others are here and there is less left for them.
    private func needed(
        _ leftover: Int128, _ account: Account, _ book: LeaseBook, part: Int64, at now: Timestamp
    ) -> Int128 {
        let free = Int128(account.limit) - others(book, account, at: now) - Int128(part)
        let hasOthers = book.parts.contains { $0.key != gateway }
        guard hasOthers, free < leftover else { return leftover }
        let quarter = leftover / Self.share
        if quarter >= Self.share * Int128(book.largestBound), quarter > 0 { return quarter }
        return isBusy(book, at: now) ? 2 * Int128(book.largestBound) : 0
    }

    private func isBusy(_ book: LeaseBook, at now: Timestamp) -> Bool {
        now < book.lastUse.advanced(bySeconds: Self.idleSeconds)
    }
}

extension Budget.Account {
    /// Nano-units that a gateway's part has to cover: of this gateway, calls under way included.
    fileprivate func used(by gateway: String) -> Int128 { (spent[gateway] ?? 0) + unlogged + reserved }
}
