package import EventLog
package import ZeroMQ

/// Which key may do what over the network. A key that is not listed cannot connect; a listed one may read everything.
package struct AccessList: Sendable {
    /// What one key may do beside reading.
    package struct Grant: Hashable, Sendable {
        /// The types it may append; nil for all, empty for none.
        package var types: Set<EventType>?
        /// The producers it may be; nil for any.
        package var producers: Set<ProducerName>?

        package init(types: Set<EventType>?, producers: Set<ProducerName>? = nil) {
            self.types = types
            self.producers = producers
        }
    }

    private let grants: [CurvePublicKey: Grant]

    package init(_ grants: [CurvePublicKey: Grant]) { self.grants = grants }

    func contains(_ key: CurvePublicKey) -> Bool { grants[key] != nil }

    /// Why this key may not make this request; nil when it may.
    func objection(of key: CurvePublicKey, to request: LogRequest) -> String? {
        guard let grant = grants[key] else { return "the key is not on the list" }
        switch request {
        case .hello, .read: return nil
        case .openSession(let producer): return grant.objection(to: producer)
        case .append(let append):
            return grant.objection(to: append.producer)
                ?? append.streams.lazy.flatMap(\.events)
                .first { event in grant.types.map { !$0.contains(event.type) } ?? false }
                .map { "this key may not append \($0.type)" }
        }
    }
}

extension AccessList.Grant {
    fileprivate func objection(to producer: ProducerName) -> String? {
        guard let producers, !producers.contains(producer) else { return nil }
        return "this key may not be the producer \(producer)"
    }
}
