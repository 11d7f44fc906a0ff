package import EventLog

/// Which event of a day's stream says last what an attempt at a call costs: for a stream of any length, read twice for each
/// part of its attempts, so that memory stays bounded.
package struct LastStatements {
    /// Attempts at calls by a digest: texts of their own would need ten times the memory.
    private struct Attempt: Hashable {
        let high: Int
        let low: Int

        init(_ call: WireCallRecorded) {
            func digest(_ seed: UInt8) -> Int {
                var hasher = Hasher()
                hasher.combine(seed)
                hasher.combine(call.call)
                hasher.combine(call.attempt)
                return hasher.finalize()
            }
            (high, low) = (digest(0), digest(1))
        }
    }

    private let part: Int
    private let parts: Int
    private var versions: [Attempt: StreamVersion] = [:]

    /// How many parts a stream of so many events is read in.
    package static func parts(of version: StreamVersion, attemptsAtOnce: Int = 400_000) -> Int {
        Int(clamping: version.value) / attemptsAtOnce + 1
    }

    /// - Parameter part: from 0.
    package init(part: Int, of parts: Int) {
        self.part = part
        self.parts = parts
    }

    /// Whether nothing of this part is of interest.
    package var isEmpty: Bool { versions.isEmpty }

    /// Takes the stream's events in their order.
    /// - Parameter concerns: whether what the event says of a call is worth remembering.
    package mutating func see(
        _ event: FinOpsEvent, _ version: StreamVersion, where concerns: (WireCallRecorded) -> Bool
    ) {
        switch event {
        case .callRecorded(let call):
            guard concerns(call), let attempt = attempt(call), versions[attempt] == nil else { return }
            versions[attempt] = version
        case .callRepriced(let repriced):
            guard let attempt = attempt(repriced.call) else { return }
            if concerns(repriced.call) {
                versions[attempt] = version
            } else if versions[attempt] != nil {
                // Not forgotten: an attempt that is said twice is still settled.
                versions[attempt] = StreamVersion.none
            }
        default: break
        }
    }

    /// The call as this event states it, if nothing later says otherwise.
    package func call(_ event: FinOpsEvent, _ version: StreamVersion) -> WireCallRecorded? {
        let call: WireCallRecorded
        switch event {
        case .callRecorded(let recorded): call = recorded
        case .callRepriced(let repriced): call = repriced.call
        default: return nil
        }
        guard let attempt = attempt(call), versions[attempt] == version else { return nil }
        return call
    }

    private func attempt(_ call: WireCallRecorded) -> Attempt? {
        let attempt = Attempt(call)
        return parts == 1 || Int(attempt.low.magnitude % UInt(parts)) == part ? attempt : nil
    }
}
