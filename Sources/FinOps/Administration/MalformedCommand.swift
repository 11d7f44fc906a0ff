// Which rejections are about the command itself: it says something that cannot be, whatever the log holds. The others come of
// what there is, and may be over when that changes.

extension ThresholdRejection {
    /// Whether the command cannot be, whatever the log holds.
    package var isMalformed: Bool {
        switch self {
        case .unknownScope, .noLimit, .limitNotPositive, .badLevels, .unknownZone, .unknownPolicy, .notHeldIn: true
        case .unknownName, .noThreshold: false
        }
    }
}

extension ChannelRejection {
    /// Whether the command cannot be, whatever the log holds.
    package var isMalformed: Bool {
        switch self {
        case .unknownZone: true
        case .notSet: false
        }
    }
}

extension AlertRejection {
    /// Whether the command cannot be, whatever the log holds.
    package var isMalformed: Bool {
        switch self {
        case .snoozeIsOver, .snoozeIsTooLong: true
        case .nothingStands, .noThreshold: false
        }
    }
}

extension KeyRejection {
    /// Whether the command cannot be, whatever the log holds.
    package var isMalformed: Bool {
        switch self {
        case .expiresInThePast, .graceIsOver, .reasonMissing: true
        default: false
        }
    }
}

extension UpstreamRejection {
    /// Whether the command cannot be, whatever the log holds.
    package var isMalformed: Bool {
        switch self {
        case .unknownProvider, .deployedTwice: true
        case .unknownUpstream: false
        }
    }
}

extension PriceProposalRejection {
    /// Whether the command cannot be, whatever the log holds.
    package var isMalformed: Bool {
        if case .reasonMissing = self { true } else { false }
    }
}
