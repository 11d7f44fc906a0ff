/// A projection database could not be opened, read or written.
package struct ProjectionFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Short and stable: `sqlite-13`, `projection-missing`, `projection-outdated`, `zone-unknown` …
    package var code: String
    /// A sentence for a person; where a rebuild helps it says so.
    package var message: String
    /// Whether the same call may succeed later by itself, such as on a locked file.
    package var isRetriable: Bool

    package init(code: String, message: String, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }

    package var description: String { "\(message) (\(code))" }
}

/// The projection met an event that it cannot apply, and stopped before it: a skipped charge is a wrong bill.
/// `finops dead-letters skip` lets it pass.
package struct ProjectionHalt: Error, Hashable, Sendable, CustomStringConvertible {
    /// Of the event that cannot be applied; everything before it is.
    package var position: UInt64
    /// The event's wire name.
    package var type: String
    package var reason: String

    package init(position: UInt64, type: String, reason: String) {
        self.position = position
        self.type = type
        self.reason = reason
    }

    package var description: String {
        "the projection stopped before position \(position) (\(type)): \(reason); "
            + "`finops dead-letters skip --stage projector --position \(position) --reason …` lets it pass"
    }
}

/// An event whose content no read model can hold. Thrown before anything of the event is written.
struct Inapplicable: Error, Hashable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
