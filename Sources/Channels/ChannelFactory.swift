package import Notices
package import Secret
import Transfer

/// Makes what takes messages to a destination.
package enum ChannelFactory {
    /// - Parameters:
    ///   - destination: `slack`, `mail-ko`, `mail-en` or `sentry`.
    ///   - secret: the JSON text that the vault holds for its channel.
    /// - Throws: `ChannelProblem` if the secret is not usable, or its channel does not lead there.
    package static func deliverer(
        destination: String, secret: Secret, settings: ChannelSettings
    ) throws(ChannelProblem) -> any NoticeDelivering {
        switch (destination, try ChannelSecret(secret)) {
        case ("slack", .slack(let access)):
            SlackChannel(access, transport: try web(settings)) { notice in
                let text = SlackText(notice, language: access.language, settings: settings.notice)
                return (text.body, text.fallbackBody)
            }
        case ("sentry", .sentry(let access)):
            SentryChannel(access, transport: try web(settings)) { SentryText($0, settings: settings.notice).body }
        case (let destination, .smtp(let access)):
            SMTPChannel(
                access, to: try recipients(access.to, destination), transport: try mail(settings),
                compose: try composer(destination, settings))
        case (let destination, .resend(let access)):
            ResendChannel(
                access, to: try recipients(access.to, destination), transport: try web(settings),
                compose: try composer(destination, settings))
        case (let destination, _): throw wrong(destination)
        }
    }

    private static func composer(
        _ destination: String, _ settings: ChannelSettings
    ) throws(ChannelProblem) -> @Sendable (Notice) -> MailWording {
        let language = try language(of: destination)
        return { notice in
            let text = MailText(notice, language: language, settings: settings.notice)
            return MailWording(subject: text.subject, text: text.text, html: text.html)
        }
    }

    private static func recipients(
        _ all: [MailRecipient], _ destination: String
    ) throws(ChannelProblem) -> [MailAddress] {
        let language = try language(of: destination)
        let readers = all.filter { $0.language == language }.map(\.address)
        guard !readers.isEmpty else {
            throw ChannelProblem(
                .noRecipients, message: "nobody reads \(destination): set it anew with `finops channel set mail`")
        }
        return readers
    }

    private static func language(of destination: String) throws(ChannelProblem) -> NoticeLanguage {
        guard destination.hasPrefix("mail-"), let language = NoticeLanguage(rawValue: String(destination.dropFirst(5)))
        else { throw wrong(destination) }
        return language
    }

    private static func wrong(_ destination: String) -> ChannelProblem {
        ChannelProblem(.wrongDestination, "does not lead to \(destination)")
    }

    private static func web(_ settings: ChannelSettings) throws(ChannelProblem) -> CurlTransport {
        do { return try CurlTransport(settings.transfer) } catch {
            throw ChannelProblem(.noTransport, message: error.message)
        }
    }

    private static func mail(_ settings: ChannelSettings) throws(ChannelProblem) -> CurlMailTransport {
        do { return try CurlMailTransport(settings.transfer) } catch {
            throw ChannelProblem(.noTransport, message: error.message)
        }
    }
}
