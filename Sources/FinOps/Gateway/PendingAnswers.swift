/// Answers that are made in the background, and what their calls count with until somebody is told what they used.
///
/// Gateways tell the log about their calls each at its own pace, so an answer's end may come before its beginning.
struct PendingAnswers: Sendable {
    struct Held: Hashable, Codable, Sendable {
        let project: String
        /// As in `SpendingBySlot`.
        let slot: Int64
        /// Nano-units.
        let nanos: Int64
        let gateway: String
    }

    /// By account and answer: one at most, unless a provider gives several answers the same id.
    var held: [String: [Held]] = [:]
    /// Answers that have ended.
    var over = Recent<String>()

    private static func name(_ answer: String, _ event: WireCallRecorded) -> String { "\(event.account)\0\(answer)" }

    /// - Parameter charge: what the call counts with by itself.
    /// - Returns: what it counts with: nothing, if its answer has ended already.
    mutating func take(_ event: WireCallRecorded, _ charge: Charge) -> Charge {
        guard event.hasBound, !event.pendingAnswer.isEmpty else { return charge }
        let name = Self.name(event.pendingAnswer, event)
        if over.contains(name) { return Charge(project: charge.project, slot: charge.slot, nanos: 0) }
        held[name, default: []].append(
            Held(project: charge.project, slot: charge.slot, nanos: charge.nanos, gateway: event.gateway))
        return charge
    }

    /// - Returns: what no longer counts now, as charges that are to be added, and whose calls they were.
    mutating func ended(by event: WireCallRecorded) -> [(charge: Charge, gateway: String)] {
        guard !event.hasBound else { return [] }
        let answer = event.countsOnce.isEmpty ? event.pendingAnswer : event.countsOnce
        guard !answer.isEmpty else { return [] }
        let name = Self.name(answer, event)
        over.insert(name)
        return (held.removeValue(forKey: name) ?? []).map { held in
            (Charge(project: held.project, slot: held.slot, nanos: -held.nanos), held.gateway)
        }
    }

    mutating func forget(before slot: Int64) {
        held = held.mapValues { $0.filter { $0.slot >= slot } }.filter { !$0.value.isEmpty }
    }
}
