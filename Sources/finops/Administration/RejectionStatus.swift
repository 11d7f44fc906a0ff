import FinOps
import Runtime

// A command that cannot be, whatever the log holds, is bad usage, also where a decider is the first to see it.

extension ThresholdRejection: ExitStatusProviding {
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}

extension ChannelRejection: ExitStatusProviding {
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}

extension AlertRejection: ExitStatusProviding {
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}

extension KeyRejection: ExitStatusProviding {
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}

extension UpstreamRejection: ExitStatusProviding {
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}

extension PriceProposalRejection: ExitStatusProviding {
    var exitStatus: ExitStatus { isMalformed ? .usage : .failure }
}
