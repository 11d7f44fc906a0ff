import Digest
package import FinOps
import JSON

/// What a caller says about a call: bounded in size, made printable, and checked by nobody.
package struct CallContext: Hashable, Sendable {
    package internal(set) var taskType = ""
    package internal(set) var intent = ""
    package internal(set) var feature = ""
    /// A pseudonym; what was said is nowhere.
    package internal(set) var user = ""
    package internal(set) var metadata: [String: String] = [:]

    /// Characters of a field, and of a name in `metadata`.
    package static let fieldLimit = 64
    /// Characters of a value in `metadata`.
    package static let valueLimit = 256
    /// Pairs in `metadata`.
    package static let pairLimit = 16
    /// Of `X-FinOps-Metadata` more is not read.
    private static let headerLimit = 8_192

    /// - Parameters:
    ///   - header: the value of a header, whose name is asked for in lower case; the last one where it is repeated.
    ///   - key: of the pseudonyms. Whoever holds it can find out whether somebody is behind one, nobody else can.
    package init(header: (String) -> String?, facts: RequestFacts, key: UnsafeBufferPointer<UInt8>) {
        var said = facts.metadata.reduce(into: [String: String]()) { said, member in
            if let text = member.value.string { said[member.name] = text }
        }
        func take(_ name: String) -> String? {
            let own = said.removeValue(forKey: "finops_\(name)")
            let plain = said.removeValue(forKey: name)
            return own ?? plain
        }
        let (task, intent, feature) = (take("task_type"), take("intent"), take("feature"))
        let anthropicUser = said.removeValue(forKey: "user_id")
        let user = take("user") ?? facts.user ?? anthropicUser
        self.taskType = Self.bounded(header("x-finops-task-type") ?? task ?? "", Self.fieldLimit)
        self.intent = Self.bounded(header("x-finops-intent") ?? intent ?? "", Self.fieldLimit)
        self.feature = Self.bounded(header("x-finops-feature") ?? feature ?? "", Self.fieldLimit)
        self.user = Self.pseudonym(header("x-finops-user") ?? user ?? "", key: key)
        if let text = header("x-finops-metadata") {
            for pair in Self.pairs(text) { said[pair.name] = pair.value.string ?? pair.value.text }
        }
        for (name, value) in said.sorted(by: { $0.key < $1.key }) {
            guard metadata.count < Self.pairLimit else { break }
            let name = Self.bounded(name, Self.fieldLimit)
            if !name.isEmpty { metadata[name] = Self.bounded(value, Self.valueLimit) }
        }
    }

    /// Nothing was said.
    package init() {}

    /// The headers that carry context; they are the gateway's own and go no further.
    package static let headers = [
        "x-finops-task-type", "x-finops-intent", "x-finops-feature", "x-finops-user", "x-finops-metadata",
    ]

    private static func pairs(_ text: String) -> [JSONValue.Member] {
        guard text.utf8.count <= headerLimit else { return [] }
        // Context that cannot be read is no reason to refuse a call.
        do { return try JSONValue.parse(text).members ?? [] } catch { return [] }
    }

    /// What a person has written for people, fit to be shown: at most as much as a value of `metadata`.
    package static func printable(_ text: String) -> String { bounded(text, valueLimit) }

    private static func bounded(_ text: String, _ limit: Int) -> String {
        if text.utf8.count <= limit, text.isPlain { return text }
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar.properties.isPrintable {
            guard kept.count < limit else { break }
            kept.append(scalar)
        }
        return String(kept)
    }

    /// Sixteen bytes of HMAC-SHA-256 in hexadecimal; empty for nobody.
    private static func pseudonym(_ user: String, key: UnsafeBufferPointer<UInt8>) -> String {
        user.isEmpty ? "" : "user-" + hexText(hmacSHA256(key: key, message: Array(user.utf8)).prefix(16))
    }

    /// As it stands in an event.
    package var wire: WireCallContext {
        var wire = WireCallContext()
        wire.taskType = taskType
        wire.intent = intent
        wire.feature = feature
        wire.user = user
        wire.metadata = metadata
        return wire
    }
}
