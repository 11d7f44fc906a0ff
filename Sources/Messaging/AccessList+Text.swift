import EventLog
import ZeroMQ

extension AccessList {
    /// A line of an allow-list that says nothing we understand.
    package struct Unreadable: Error, Hashable, CustomStringConvertible {
        /// From 1.
        package let line: Int
        /// It does not repeat the key.
        package let reason: String

        package var description: String { "line \(line) of the allow-list: \(reason)" }
    }

    /// Reads an allow-list, one key a line; a line that begins with `# ` is a comment:
    ///
    ///     <public key in Z85> append=usage.recorded,usage.restated producers=ingest-openai
    ///     <public key in Z85> append=* producers=*
    ///     <public key in Z85> append=
    ///
    /// Without `append` a key may only read; without `producers` it may be any.
    package init(text: String) throws(Unreadable) {
        var grants: [CurvePublicKey: Grant] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, first != "#" else { continue }
            guard let key = CurvePublicKey(text: String(first)) else {
                throw Unreadable(line: index + 1, reason: "it does not begin with a key of 40 characters")
            }
            guard grants[key] == nil else { throw Unreadable(line: index + 1, reason: "the key has a line already") }
            var grant = Grant(types: [])
            for word in words.dropFirst() {
                let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let names = parts.count == 2 ? parts[1].split(separator: ",").map(String.init) : []
                switch parts[0] {
                case "append": grant.types = names == ["*"] ? nil : Set(names.map { EventType($0) })
                case "producers": grant.producers = names == ["*"] ? nil : Set(names.map { ProducerName($0) })
                default: throw Unreadable(line: index + 1, reason: "\(parts[0]) is neither append= nor producers=")
                }
            }
            grants[key] = grant
        }
        self.init(grants)
    }
}
