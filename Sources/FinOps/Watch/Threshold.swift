package import EventLog
import FoundationEssentials
import SwiftProtobuf

/// A limit on what a scope may cost per window, as it was last stated.
package struct Threshold: Sendable {
    package let scope: CostScope
    package let currency: Currency
    /// Per cent of the limit, ascending, at least one.
    package let levels: [UInt32]
    /// As it was stated.
    package let zone: String
    package let calendar: BusinessCalendar
    /// A statement of a policy that this program does not know is told, and nothing else.
    package let policy: ThresholdPolicy
    /// When it was stated: windows that had ended by then are watched only for what becomes known later.
    package let since: Timestamp
    private let daily: Int64?
    private let weekly: Int64?

    /// - Returns: nil for a statement that no writer of ours makes: an unknown scope or zone, no limit, no level, or limits
    ///   in two currencies.
    package init?(_ event: WireThresholdSet, since: Timestamp) {
        let limits = (event.hasDaily ? [event.daily] : []) + (event.hasWeekly ? [event.weekly] : [])
        guard let scope = CostScope(kind: event.scope, name: event.name),
            let calendar = BusinessCalendar(event.zone), !event.levels.isEmpty, let limit = limits.first,
            limits.allSatisfy({ $0.currency == limit.currency }), let currency = Currency(limit.currency)
        else { return nil }
        self.scope = scope
        self.currency = currency
        self.levels = event.levels.sorted()
        self.zone = event.zone
        self.calendar = calendar
        policy = ThresholdPolicy(rawValue: event.policy) ?? .alert
        self.since = since
        daily = event.hasDaily ? event.daily.nanos : nil
        weekly = event.hasWeekly ? event.weekly.nanos : nil
    }

    /// Nano-units of `currency` that a window may cost; nil for no limit.
    package func limit(_ kind: WindowKind) -> Int64? {
        switch kind {
        case .day: daily
        case .week: weekly
        }
    }

    /// The levels that a sum has reached: at exactly the limit, 100 per cent is reached.
    func reached(_ nanos: Int128, _ kind: WindowKind) -> ArraySlice<UInt32> {
        guard let limit = limit(kind) else { return [] }
        return levels.prefix { nanos * 100 >= Int128(limit) * Int128($0) }
    }
}

/// The thresholds there are, by scope. The stream is `threshold-<scope>-<name>`.
package enum ThresholdRegister: Decider {
    package typealias State = [CostScope: WireThresholdSet]

    package enum Command: Sendable {
        /// - Parameters:
        ///   - projects: all there are; `teams` likewise.
        case set(WireThresholdSet, projects: Set<String>, teams: Set<String>)
        case remove(CostScope, reason: String)
    }

    package static let highestLevel: UInt32 = 1_000
    package static let mostLevels = 10

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .thresholdSet(let event):
            if let scope = CostScope(kind: event.scope, name: event.name) { state[scope] = event }
        case .thresholdRemoved(let event):
            if let scope = CostScope(kind: event.scope, name: event.name) { state[scope] = nil }
        default: break
        }
    }

    package static func decide(_ command: Command, _ state: State) throws(ThresholdRejection) -> [FinOpsEvent] {
        switch command {
        case .set(let event, let projects, let teams):
            let scope = try check(event, projects: projects, teams: teams)
            if var known = state[scope] {
                known.reason = event.reason
                if known == event { return [] }
            }
            return [.thresholdSet(event)]
        case .remove(let scope, let reason):
            guard state[scope] != nil else { throw .noThreshold(scope) }
            return [
                .thresholdRemoved(
                    .with {
                        $0.scope = scope.kind
                        $0.name = scope.name
                        $0.reason = reason
                    })
            ]
        }
    }

    private static func check(
        _ event: WireThresholdSet, projects: Set<String>, teams: Set<String>
    ) throws(ThresholdRejection) -> CostScope {
        guard let scope = CostScope(kind: event.scope, name: event.name) else { throw .unknownScope(event.scope) }
        switch scope {
        case .project(let name) where !projects.contains(name): throw .unknownName(scope, known: projects.sorted())
        case .team(let name) where !teams.contains(name): throw .unknownName(scope, known: teams.sorted())
        default: break
        }
        guard event.hasDaily || event.hasWeekly else { throw .noLimit }
        for (name, limit) in [
            ("daily", event.hasDaily ? event.daily : nil), ("weekly", event.hasWeekly ? event.weekly : nil),
        ] {
            if let limit, limit.nanos <= 0 { throw .limitNotPositive(name) }
        }
        guard !event.levels.isEmpty, event.levels.count <= mostLevels,
            event.levels.allSatisfy({ (1...highestLevel).contains($0) })
        else { throw .badLevels(event.levels) }
        guard zip(event.levels, event.levels.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw .badLevels(event.levels)
        }
        guard BusinessCalendar(event.zone) != nil else { throw .unknownZone(event.zone) }
        guard let policy = ThresholdPolicy(rawValue: event.policy) else { throw .unknownPolicy(event.policy) }
        let currency = (event.hasDaily ? event.daily : event.weekly).currency
        guard !policy.isHeld || currency == Currency.usd.code else { throw .notHeldIn(currency) }
        return scope
    }
}

/// Why a threshold is refused.
package enum ThresholdRejection: Error, Hashable, Sendable {
    case unknownScope(String)
    case unknownName(CostScope, known: [String])
    case noLimit
    case limitNotPositive(String)
    case badLevels([UInt32])
    case unknownZone(String)
    case unknownPolicy(String)
    /// The gateway counts in the currency of prices.
    case notHeldIn(String)
    case noThreshold(CostScope)
}

extension ThresholdRejection: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownScope(let kind): "scope: \"\(kind)\" is none of project, team and organisation"
        case .unknownName(let scope, let known):
            "there is no \(scope.kind) \"\(scope.name)\" (there are: \(known.prefix(8).joined(separator: ", "))): add it with `finops \(scope.kind) add`"
        case .noLimit: "a threshold needs a limit: give --daily, --weekly or both"
        case .limitNotPositive(let field): "--\(field): the limit must be greater than 0"
        case .badLevels(let levels):
            "--levels: \(levels.map(String.init).joined(separator: ",")) is not 1 to \(ThresholdRegister.mostLevels) different per cents from 1 to \(ThresholdRegister.highestLevel); write them like 80,100"
        case .unknownZone(let zone): "--zone: the system knows no time zone \"\(zone)\"; write it like Asia/Seoul"
        case .unknownPolicy(let policy):
            "--policy: \"\(policy)\" is none of \(ThresholdPolicy.allCases.map(\.rawValue).joined(separator: ", "))"
        case .notHeldIn(let currency):
            "--policy: calls are priced in \(Currency.usd), so a limit in \(currency) cannot be held: leave the policy at alert"
        case .noThreshold(let scope):
            "there is no threshold for \(scope.kind) \(scope.name): `finops threshold list` shows which there are"
        }
    }
}
