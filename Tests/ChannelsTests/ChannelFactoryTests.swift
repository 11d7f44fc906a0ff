import Notices
import Testing

@testable import Channels

@Suite struct ChannelFactoryTests {
    private static let slack = #"{"url": "https://hooks.slack.com/services/x"}"#
    private static let sentry = #"{"dsn": "https://key@example.com/1"}"#
    private static let smtp =
        #"{"smtp": "smtp://a", "from": "a@b.c", "to": [{"address": "k@b.c"}, {"address": "l@b.c"}]}"#
    private static let resend =
        #"{"resend_key": "re_1", "from": "a@b.c", "to": [{"address": "e@b.c", "language": "en"}]}"#

    private func deliverer(_ destination: String, _ text: String) throws(ChannelProblem) -> any NoticeDelivering {
        try ChannelFactory.deliverer(
            destination: destination, secret: secret(text),
            settings: ChannelSettings(notice: NoticeSettings(consoleURL: "http://localhost:8600", zone: "Asia/Seoul")))
    }

    @Test func eachDestinationHasItsTransport() throws {
        #expect(try deliverer("slack", Self.slack) is SlackChannel)
        #expect(try deliverer("sentry", Self.sentry) is SentryChannel)
        #expect(try deliverer("mail-ko", Self.smtp) is SMTPChannel)
        #expect(try deliverer("mail-en", Self.resend) is ResendChannel)
    }

    @Test(arguments: [
        ("slack", smtp), ("sentry", slack), ("mail-ko", slack), ("mail-en", sentry), ("mail-de", smtp), ("fax", resend),
    ])
    func aChannelLeadsToItsOwnDestinationsAlone(_ destination: String, _ text: String) {
        let problem = #expect(throws: ChannelProblem.self) { try deliverer(destination, text) }
        #expect(problem?.code == .wrongDestination)
    }

    @Test(arguments: [("mail-en", smtp), ("mail-ko", resend)])
    func aLanguageThatNobodyReadsIsAProblem(_ destination: String, _ text: String) {
        let problem = #expect(throws: ChannelProblem.self) { try deliverer(destination, text) }
        #expect(problem?.code == .noRecipients)
    }
}
