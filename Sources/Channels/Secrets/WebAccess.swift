package import Notices
import Secret
import Transfer

/// A Slack webhook, whose address is its credential.
package struct SlackAccess: Sendable {
    /// Scheme, host and port: what may be seen of it.
    let origin: String
    let host: String
    let path: Secret
    package let language: NoticeLanguage

    init(_ fields: ChannelSecret.Fields) throws(ChannelProblem) {
        let place = try WebPlace(fields.text("url"), field: "url")
        guard !place.path.isEmpty else { throw ChannelProblem(.malformed, "has a url without a path") }
        (origin, host, path) = (place.origin, place.host, Secret(Array(place.path.utf8)))
        language = try fields.language("language")
    }
}

/// An account with Resend.
package struct ResendAccess: Sendable {
    let key: Secret
    /// Of the endpoint that takes mail.
    let url: String
    let host: String
    package let from: MailAddress
    package let to: [MailRecipient]

    init(_ fields: ChannelSecret.Fields) throws(ChannelProblem) {
        key = Secret(Array(try fields.text("resend_key").utf8))
        let place = try WebPlace(fields.optionalText("base_url") ?? "https://api.resend.com", field: "base_url")
        (url, host) = ("\(place.origin)\(place.path)/emails", place.host)
        from = try MailAddress(fields, "from")
        to = try MailRecipient.all(fields)
    }
}

/// A project of a Sentry-compatible service: `https://key@host[/path]/project`.
package struct SentryAccess: Sendable {
    let key: Secret
    /// Of the envelope endpoint.
    let url: String
    let host: String

    init(_ fields: ChannelSecret.Fields) throws(ChannelProblem) {
        let dsn = try fields.text("dsn")
        let malformed = ChannelProblem(.malformed, "has a dsn that is not https://key@host/project")
        guard let separator = dsn.firstRange(of: "://"), let at = dsn.firstIndex(of: "@"), separator.upperBound < at
        else { throw malformed }
        // Older ones have a second key behind a colon, which envelopes do not use.
        let user = dsn[separator.upperBound..<at].prefix { $0 != ":" }
        let isKey = !user.isEmpty && user.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }
        let place = try WebPlace(dsn[..<separator.upperBound] + dsn[dsn.index(after: at)...], field: "dsn")
        guard isKey, let slash = place.path.lastIndex(of: "/") else { throw malformed }
        let project = place.path[place.path.index(after: slash)...]
        guard !project.isEmpty, project.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }) else {
            throw malformed
        }
        key = Secret(Array(user.utf8))
        host = place.host
        url = "\(place.origin)\(place.path[..<slash])/api/\(project)/envelope/"
    }
}

/// The parts of a web service's address.
struct WebPlace {
    /// Scheme, host and port.
    let origin: String
    let host: String
    /// The rest, without a slash at its end.
    let path: String

    /// - Throws: `ChannelProblem` for anything but `https://`; `http://` is for this machine alone.
    init(_ url: some StringProtocol, field: String) throws(ChannelProblem) {
        let url = String(url)
        // What is wrong is said in the words of the field.
        guard let host = try? URLHost(url), url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ChannelProblem(.malformed, "has a \(field) that is no address of the web")
        }
        guard url.lowercased().hasPrefix("https://") || host.isLoopback else {
            throw ChannelProblem(.insecure, "has a \(field) that is not https")
        }
        let afterScheme = url.index(after: url.firstRange(of: "//")!.lowerBound)
        let start = url[url.index(after: afterScheme)...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        origin = String(url[..<start])
        self.host = host.name
        let path = url[start...]
        self.path = String(path.hasSuffix("/") ? path.dropLast() : path)
    }
}
