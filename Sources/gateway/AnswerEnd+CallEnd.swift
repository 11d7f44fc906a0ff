import Metering
import Proxy

extension AnswerEnd {
    /// How the exchange ended, in the words of the log.
    init(_ end: CallEnd) {
        self =
            switch end {
            case .complete: .complete
            case .clientGone: .clientGone
            case .unfinished: .unfinished
            case .upstreamCut: .upstreamCut
            case .timedOut: .timedOut
            case .stopped: .stopped
            case .unreachable: .unreachable
            }
    }
}
