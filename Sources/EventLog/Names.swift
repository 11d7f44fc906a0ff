/// A place in the log: all events in one order, without gaps, from 1. `.start` is before the first.
package struct Position: Hashable, Comparable, Sendable {
    /// From 1; 0 is `start`.
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// The position of nothing: reading after it begins with the first event.
    package static let start = Position(0)
    /// - Precondition: it is not the greatest there is.
    package var next: Position { Position(value + 1) }

    package static func < (left: Position, right: Position) -> Bool { left.value < right.value }
}

extension Position: CustomStringConvertible {
    package var description: String { String(value) }
}

/// How many events a stream has; its first event has version 1.
package struct StreamVersion: Hashable, Comparable, Sendable {
    /// 0 for a stream without events.
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// Of a stream without events.
    package static let none = StreamVersion(0)
    package var next: StreamVersion { StreamVersion(value + 1) }

    package static func < (left: StreamVersion, right: StreamVersion) -> Bool { left.value < right.value }
}

extension StreamVersion: CustomStringConvertible {
    package var description: String { String(value) }
}

/// The name of one subject's events: a category, a hyphen, and what identifies the subject (`usage-acme-2026-11-20`).
package struct StreamName: Hashable, Sendable {
    /// The log compares it byte by byte; `==` here takes composed and decomposed letters for equal. Its bounds are
    /// checked when something is appended.
    package let text: String

    package init(_ text: String) { self.text = text }

    /// What stands before the first hyphen.
    package var category: Substring { text.prefix { $0 != "-" } }
}

extension StreamName: ExpressibleByStringLiteral, CustomStringConvertible {
    package init(stringLiteral value: String) { text = value }
    package var description: String { text }
}

/// The wire name of an event's type, such as `usage.recorded`. Its schema version travels beside it.
package struct EventType: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }
}

extension EventType: ExpressibleByStringLiteral, CustomStringConvertible {
    package init(stringLiteral value: String) { text = value }
    package var description: String { text }
}

/// Who appends: the name under which the log keeps a sequence and an epoch.
package struct ProducerName: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }
}

extension ProducerName: ExpressibleByStringLiteral, CustomStringConvertible {
    package init(stringLiteral value: String) { text = value }
    package var description: String { text }
}
