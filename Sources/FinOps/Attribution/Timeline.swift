package import EventLog

/// A value that changes at moments in time. What is stated later overrides everything from its moment on.
package struct Timeline<Value: Hashable & Sendable>: Hashable, Sendable {
    /// A value and when it begins; nil for "always".
    package struct Span: Hashable, Sendable {
        /// nil: from the beginning.
        package let from: Timestamp?
        package let value: Value
    }

    /// Ascending by `from`; neighbours differ in value.
    package private(set) var spans: [Span] = []

    /// Nothing is known yet.
    package init() {}

    /// Overrides everything from `from` on.
    package mutating func set(_ value: Value, from: Timestamp?) {
        spans.removeAll { Self.begins($0.from, atOrAfter: from) }
        if spans.last?.value != value { spans.append(Span(from: from, value: value)) }
    }

    /// The value that holds at a moment; nil asks for the beginning.
    package func value(at moment: Timestamp?) -> Value? {
        spans.last { Self.begins(moment, atOrAfter: $0.from) }?.value
    }

    /// What holds from a moment on: the value at that moment, then its changes.
    func spans(from start: Timestamp?) -> [Span] {
        let later = spans.filter { Self.begins($0.from, atOrAfter: start) }
        if let first = later.first, first.from == start { return later }
        guard let current = value(at: start) else { return later }
        return [Span(from: start, value: current)] + later
    }

    /// What has to be stated, in order, to turn `other` into this one; none if they agree.
    func statements(turning other: Timeline) -> [Span] {
        let same = zip(spans, other.spans).prefix { $0 == $1 }.count
        let mine = same < spans.count ? spans[same] : nil
        let theirs = same < other.spans.count ? other.spans[same] : nil
        switch (mine, theirs) {
        case (nil, nil): return []
        case (let mine?, nil): return spans(from: mine.from)
        case (nil, let theirs?): return spans(from: theirs.from)
        case (let mine?, let theirs?):
            return spans(from: Self.begins(mine.from, atOrAfter: theirs.from) ? theirs.from : mine.from)
        }
    }

    static func begins(_ moment: Timestamp?, atOrAfter start: Timestamp?) -> Bool {
        guard let start else { return true }
        guard let moment else { return false }
        return moment >= start
    }
}
