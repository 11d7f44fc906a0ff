import EventLog
import SwiftProtobuf

/// What the gateway calls by a name. The stream is `upstream-<name>`.
package enum UpstreamRegister: Decider {
    /// nil before it is set and after it is removed.
    package typealias State = WireUpstreamSet?

    package enum Command: Sendable {
        /// Counts whole, in place of what was set before.
        case set(WireUpstreamSet)
        case remove(name: String, reason: String)
    }

    /// Whose manners an upstream has. `azure` is OpenAI's with a deployment in the path.
    package enum Provider: String, CaseIterable, Codable, Sendable {
        case openai, anthropic, azure
    }

    package static var initialState: State { nil }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .upstreamSet(let event): state = event
        case .upstreamRemoved: state = nil
        default: break
        }
    }

    /// - Returns: nothing when what is asked for is so already, with the same version of the key.
    package static func decide(_ command: Command, _ state: State) throws(UpstreamRejection) -> [FinOpsEvent] {
        switch command {
        case .set(let event):
            guard Provider(rawValue: event.provider) != nil else { throw .unknownProvider(event.provider) }
            var models: Set<String> = []
            for deployment in event.deployments where !models.insert(deployment.model).inserted {
                throw .deployedTwice(deployment.model)
            }
            var known = state
            known?.reason = event.reason
            return known == event ? [] : [.upstreamSet(event)]
        case .remove(let name, let reason):
            guard state != nil else { throw .unknownUpstream(name) }
            return [
                .upstreamRemoved(
                    .with {
                        $0.name = name
                        $0.reason = reason
                    })
            ]
        }
    }
}

/// Why a change of an upstream is refused.
package enum UpstreamRejection: Error, Hashable, Sendable {
    case unknownProvider(String)
    case deployedTwice(String)
    case unknownUpstream(String)
}

extension UpstreamRejection: CustomStringConvertible {
    /// One sentence that ends with the remedy.
    package var description: String {
        switch self {
        case .unknownProvider(let provider): "\"\(provider)\" is none of openai, anthropic and azure"
        case .deployedTwice(let model): "--deployment: model \"\(model)\" is named twice; give each model once"
        case .unknownUpstream(let name):
            "there is no upstream \"\(name)\": `finops upstream list` shows which there are"
        }
    }
}
