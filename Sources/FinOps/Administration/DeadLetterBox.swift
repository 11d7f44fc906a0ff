package import EventLog
import SwiftProtobuf

/// Events that a stage put aside because it failed on them. The stream is `failures-<stage>`.
package enum DeadLetterBox: Decider {
    /// One event that was put aside, and what became of it.
    package struct Letter: Hashable, Sendable {
        /// `parked` waits for an answer; after the other two it has one.
        package enum State: String, Sendable { case parked, retried, skipped }

        /// The latest failure: an event that fails again is parked again.
        package var failure: WireProcessingFailed
        package var state: State
        /// What was said when it was retried or skipped.
        package var reason: String
    }

    /// By the position of the event in the log.
    package typealias State = [UInt64: Letter]

    /// What a person answers.
    package enum Command: Sendable {
        /// The stage is to try it again: its cause is mended.
        case retry(stage: String, position: UInt64, reason: String)
        /// The stage is to go on without it, for ever.
        case skip(stage: String, position: UInt64, reason: String)
    }

    package static var initialState: State { [:] }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .processingFailed(let failure):
            state[failure.position] = Letter(failure: failure, state: .parked, reason: "")
        case .processingRetried(let retried):
            state[retried.position]?.state = .retried
            state[retried.position]?.reason = retried.reason
        case .processingSkipped(let skipped):
            state[skipped.position]?.state = .skipped
            state[skipped.position]?.reason = skipped.reason
        default: break
        }
    }

    /// What was retried or skipped already gives no further event; it is parked again if it fails again.
    package static func decide(
        _ command: Command, _ state: State
    ) throws(AdministrationRejection) -> [FinOpsEvent] {
        switch command {
        case .retry(let stage, let position, let reason):
            guard let letter = state[position] else { throw .notParked(stage: stage, position: position) }
            if letter.state == .retried { return [] }
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

extension WireProcessingFailed {
    /// What a stage says of an event that it puts aside.
    /// - Parameter attempts: how often it tried; 0 for one that waits behind another of its stream.
    package init(_ event: RecordedEvent, stage: String, attempts: UInt32, error: String) {
        self.init()
        self.stage = stage
        position = event.position.value
        stream = event.stream.text
        type = event.type.text
        self.attempts = attempts
        self.error = error
    }
}
