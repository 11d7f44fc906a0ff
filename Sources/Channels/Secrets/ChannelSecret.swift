import JSON
import Notices
package import Secret

/// What the vault holds of a channel: where it leads and what opens it.
package enum ChannelSecret: Sendable {
    case slack(SlackAccess)
    case smtp(SMTPAccess)
    case resend(ResendAccess)
    case sentry(SentryAccess)

    /// Reads the JSON text of the vault.
    /// - Throws: `ChannelProblem`, which names fields and never shows a value.
    package init(_ secret: Secret) throws(ChannelProblem) {
        let fields = try Fields(secret)
        if fields.holds("url") {
            self = .slack(try SlackAccess(fields))
        } else if fields.holds("smtp") {
            self = .smtp(try SMTPAccess(fields))
        } else if fields.holds("resend_key") {
            self = .resend(try ResendAccess(fields))
        } else if fields.holds("dsn") {
            self = .sentry(try SentryAccess(fields))
        } else {
            throw ChannelProblem(.missing, "has none of url, smtp, resend_key and dsn")
        }
    }

    /// The members of the JSON object, read one by one.
    struct Fields {
        private let value: JSONValue

        init(_ secret: Secret) throws(ChannelProblem) {
            // The parser's own words could quote what it choked on.
            guard let value = try? secret.withUTF8({ try JSONValue.parse($0) }), value.members != nil else {
                throw ChannelProblem(.notJSON, "is not a JSON object")
            }
            self.value = value
        }

        func holds(_ name: String) -> Bool { value[name] != nil }

        func text(_ name: String) throws(ChannelProblem) -> String {
            guard let text = try optionalText(name) else { throw ChannelProblem(.missing, "has no \(name)") }
            return text
        }

        /// nil where it is missing or null.
        func optionalText(_ name: String) throws(ChannelProblem) -> String? {
            guard let member = value[name], !member.isNull else { return nil }
            guard let text = member.string, !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw ChannelProblem(.malformed, "has a \(name) that is empty, no text or holds control characters")
            }
            return text
        }

        func language(_ name: String) throws(ChannelProblem) -> NoticeLanguage {
            guard let text = try optionalText(name) else { return .korean }
            guard let language = NoticeLanguage(rawValue: text) else {
                throw ChannelProblem(.malformed, "has a \(name) that is neither ko nor en")
            }
            return language
        }

        func objects(_ name: String) throws(ChannelProblem) -> [Fields] {
            guard let values = value[name]?.array, values.allSatisfy({ $0.members != nil }) else {
                throw ChannelProblem(.malformed, "has no list of objects as \(name)")
            }
            return values.map(Fields.init(value:))
        }

        private init(value: JSONValue) { self.value = value }
    }
}
