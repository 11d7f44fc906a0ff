import EventLog
import SwiftProtobuf

/// Where alerts go and when a channel is quiet. The stream is `channel-<channel>`.
package enum ChannelRegister: Decider {
    /// A channel that is set, and its schedule if it ever got one.
    package struct Channel: Hashable, Sendable {
        package var set: WireChannelSet
        package var schedule: WireChannelScheduleSet?
    }

    /// nil before it is set and after it is removed, which forgets the schedule too.
    package typealias State = Channel?

    /// What a person asks for.
    package enum Command: Sendable {
        /// - Parameter secretChanged: whether the vault holds another secret than before, or holds it again.
        case set(WireChannelSet, secretChanged: Bool)
        case remove(channel: String, reason: String)
        case schedule(channel: String, ScheduleChange, reason: String)
    }

    /// What is to be otherwise in a schedule.
    package struct ScheduleChange: Sendable {
        /// What becomes of one part of it.
        package enum Change<Value: Sendable>: Sendable {
            case keep
            case drop
            case set(Value)
        }

        package var quiet = Change<QuietHours>.keep
        /// Minutes after midnight.
        package var digest = Change<UInt32>.keep
        /// nil: as it is.
        package var canary: Bool?
        /// nil: as it is.
        package var zone: String?
        /// The zone of a channel that never got one.
        package var businessZone: String

        package init(businessZone: String) { self.businessZone = businessZone }
    }

    package static var initialState: State { nil }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .channelSet(let event): state = Channel(set: event, schedule: state?.schedule)
        case .channelRemoved: state = nil
        case .channelScheduleSet(let event): state?.schedule = event
        default: break
        }
    }

    /// - Returns: nothing when what is asked for is so already.
    package static func decide(_ command: Command, _ state: State) throws(ChannelRejection) -> [FinOpsEvent] {
        switch command {
        case .set(let event, let secretChanged):
            var known = state?.set
            known?.reason = event.reason
            return known == event && !secretChanged ? [] : [.channelSet(event)]
        case .remove(let channel, let reason):
            guard state != nil else { throw .notSet(channel) }
            return [
                .channelRemoved(
                    .with {
                        $0.channel = channel
                        $0.reason = reason
                    })
            ]
        case .schedule(let channel, let change, let reason):
            guard let state else { throw .notSet(channel) }
            let known = state.schedule ?? .unrestricted(channel, zone: change.businessZone)
            var schedule = change.applied(to: known)
            guard BusinessCalendar(schedule.zone) != nil else { throw .unknownZone(schedule.zone) }
            if schedule == known { return [] }
            schedule.reason = reason
            return [.channelScheduleSet(schedule)]
        }
    }
}

extension ChannelRegister.ScheduleChange {
    fileprivate func applied(to known: WireChannelScheduleSet) -> WireChannelScheduleSet {
        var schedule = known
        switch quiet {
        case .keep: break
        case .drop:
            schedule.clearQuietFrom()
            schedule.clearQuietTo()
        case .set(let hours):
            schedule.quietFrom = hours.from
            schedule.quietTo = hours.to
        }
        switch digest {
        case .keep: break
        case .drop: schedule.clearDigestAt()
        case .set(let minute): schedule.digestAt = minute
        }
        if let canary { schedule.canary = canary }
        if let zone { schedule.zone = zone }
        return schedule
    }
}

extension WireChannelScheduleSet {
    /// What holds for a channel that never got a schedule.
    fileprivate static func unrestricted(_ channel: String, zone: String) -> WireChannelScheduleSet {
        .with {
            $0.channel = channel
            $0.zone = zone
        }
    }
}

/// A part of every day in which a channel is quiet; it may reach over midnight.
package struct QuietHours: Hashable, Sendable {
    /// Minutes after midnight.
    package let from: UInt32
    /// Minutes after midnight, exclusive.
    package let to: UInt32

    /// - Returns: nil unless both lie within a day and differ: a channel that is always quiet would tell nothing.
    package init?(from: UInt32, to: UInt32) {
        guard from < 1_440, to < 1_440, from != to else { return nil }
        self.from = from
        self.to = to
    }
}

/// Why a change of a channel is refused.
package enum ChannelRejection: Error, Hashable, Sendable {
    case notSet(String)
    case unknownZone(String)
}

extension ChannelRejection: CustomStringConvertible {
    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .notSet(let channel):
            "channel \(channel) is not set: `finops channel list` shows which are, `finops channel set \(channel)` sets it"
        case .unknownZone(let zone): "--zone: the system knows no time zone \"\(zone)\"; write it like Asia/Seoul"
        }
    }
}
