package import EventLog
import FinOps

/// One event, decoded off the writer's thread, ready for the folds.
package struct ProjectedEvent: Sendable {
    enum Content: Sendable {
        case usage(UsageStatement)
        /// The message says more than the row: what was stated before. Messages are large and rare, so they lie beside: an
        /// event is small to move.
        indirect case restatedUsage(UsageStatement, WireUsageRestated)
        indirect case repricedUsage(UsageStatement, WireUsageRepriced)
        indirect case other(FinOpsEvent)
        /// A type this program does not know: counted, kept in the log, not guessed at.
        case unknown
        case undecodable(reason: String)
    }

    let position: UInt64
    let recorded: Timestamp
    let type: EventType
    let actor: String
    let content: Content

    /// Decodes; what cannot be decoded is kept as such, and halts the fold only when it is applied.
    package init(_ event: RecordedEvent) {
        position = event.position.value
        recorded = event.recorded
        type = event.type
        actor = event.event.actor
        content = Self.decode(event.event)
    }

    private static func decode(_ event: NewEvent) -> Content {
        do {
            if event.schema == 1, event.type.text == "usage.recorded" {
                return .usage(UsageStatement(try UsageFactReader.read(event.payload, as: .recorded)))
            }
            switch try EventCatalogue.decode(event) {
            case .usageRestated(let message):
                return .restatedUsage(
                    UsageStatement(try UsageFactReader.read(event.payload, as: .restated)), message)
            case .usageRepriced(let message):
                return .repricedUsage(
                    UsageStatement(try UsageFactReader.read(event.payload, as: .repriced)), message)
            case .some(let other): return .other(other)
            case nil: return .unknown
            }
        } catch let error as WireFields.Malformed {
            return .undecodable(reason: error.reason)
        } catch let error as UndecodableEvent {
            return .undecodable(reason: error.reason)
        } catch {
            return .undecodable(reason: "\(error)")
        }
    }
}
