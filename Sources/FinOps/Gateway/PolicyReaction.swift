package import EventLog
import SwiftProtobuf

/// What a threshold's policy asks for when its limit is reached: with `disable-keys`, an end of every key of the scope.
package enum PolicyReaction {
    /// - Parameters:
    ///   - keys: as of the crossing's position or later.
    ///   - now: a window that is over by then asks for nothing, since its limit cannot be held any more.
    /// - Returns: a disablement for each key that could be used, each for its own stream, in the order of their ids; so it is
    ///   none for keys that are disabled already.
    package static func events(
        for crossing: WireThresholdCrossed, _ keys: KeyTable, at now: Timestamp
    ) -> [(stream: StreamName, event: FinOpsEvent)] {
        guard crossing.level >= 100, now.seconds < crossing.windowEnd,
            let scope = CostScope(kind: crossing.scope, name: crossing.name),
            keys.thresholds[scope]?.policy == ThresholdPolicy.disableKeys.rawValue
        else { return [] }
        let reason = reason(crossing, scope)
        return keys.usableKeys(of: scope, at: now).map { id in
            (.key(id), .disabled(id, .policy, reason: reason))
        }
    }

    private static func reason(_ crossing: WireThresholdCrossed, _ scope: CostScope) -> String {
        func text(_ money: WireMoney) -> String { "\(NanoText.text(Int128(money.nanos))) \(money.currency)" }
        return "\(scope.title) has spent \(text(crossing.cost)) of \(text(crossing.limit)) "
            + "in the \(crossing.window) of \(crossing.firstDay)"
    }
}

extension KeyTable {
    /// The keys of a scope that are neither disabled nor expired, in the order of their ids.
    func usableKeys(of scope: CostScope, at now: Timestamp) -> [String] {
        keys.values.filter { entry in
            if entry.isDisabled { return false }
            if let expires = entry.facts.expires, expires <= now.seconds { return false }
            switch scope {
            case .project(let name): return entry.facts.project == name
            case .team(let name): return team(of: entry.facts.project, at: now) == name
            case .organisation: return true
            }
        }.map(\.facts.id).sorted()
    }
}
