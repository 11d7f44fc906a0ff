import EventLog
import SwiftProtobuf

/// Events that a stage put aside because it failed on them. The stream is `failures-<stage>`.
package enum DeadLetterBox: Decider {
    package struct Letter: Hashable, Sendable {
        package enum State: String, Sendable { case parked, retrying, skipped }

        package var failure: WireProcessingFailed
        package var state: State
        /// What was said when it was retried or skipped.
        package var reason: String
    }

    /// By the position of the event in the log.
    package typealias State = [UInt64: Letter]

    package enum Command: Sendable {
        case retry(stage: String, position: UInt64, reason: String)
        case skip(stage: String, position: UInt64, reason: String)
    }

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .processingFailed(let failure):
            state[failure.position] = Letter(failure: failure, state: .parked, reason: "")
        case .processingRetried(let retried):
            state[retried.position]?.state = .retrying
            state[retried.position]?.reason = retried.reason
        case .processingSkipped(let skipped):
            state[skipped.position]?.state = .skipped
            state[skipped.position]?.reason = skipped.reason
        default: break
        }
    }

    /// What is being retried or was skipped already gives no further event.
    package static func decide(
        _ command: Command, _ state: State
    ) throws(AdministrationRejection) -> [FinOpsEvent] {
        switch command {
        case .retry(let stage, let position, let reason):
            guard let letter = state[position] else { throw .notParked(stage: stage, position: position) }
            if letter.state == .retrying { return [] }
            return [
                .processingRetried(
                    .with {
                        $0.stage = stage
                        $0.position = position
                        $0.reason = reason
                    })
            ]
        case .skip(let stage, let position, let reason):
            guard let letter = state[position] else { throw .notParked(stage: stage, position: position) }
            if letter.state == .skipped { return [] }
            return [
                .processingSkipped(
                    .with {
                        $0.stage = stage
                        $0.position = position
                        $0.reason = reason
                    })
            ]
        }
    }
}
