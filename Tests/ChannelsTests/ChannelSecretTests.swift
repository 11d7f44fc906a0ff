import Notices
import Testing
import Transfer

@testable import Channels

@Suite struct ChannelSecretTests {
    @Test func aWebhookIsSplitIntoWhatMayBeSeenAndWhatMayNot() throws {
        let text = #"{"url": "https://hooks.slack.com/services/T0/B0/XYZ", "language": "en"}"#
        guard case .slack(let access) = try ChannelSecret(secret(text)) else {
            Issue.record("not slack")
            return
        }
        #expect(access.origin == "https://hooks.slack.com")
        #expect(access.host == "hooks.slack.com")
        #expect(access.path == secret("/services/T0/B0/XYZ"))
        #expect(access.language == .english)
        #expect(!String(reflecting: access).contains("XYZ"))
    }

    @Test func mailByServerHasALoginAndReadersInTheirLanguages() throws {
        let text = """
            {"smtp": "smtp://mail.example.com:587", "user": "finops", "password": "horse",
             "from": "비용 알림 <alerts@example.com>",
             "to": [{"address": "kim@example.com"}, {"address": "Lee <lee@example.com>", "language": "en"}]}
            """
        guard case .smtp(let access) = try ChannelSecret(secret(text)) else {
            Issue.record("not smtp")
            return
        }
        #expect(access.server.url == "smtp://mail.example.com:587")
        #expect(access.server.login?.password == secret("horse"))
        #expect(access.from.name == "비용 알림")
        #expect(access.from.domain == "example.com")
        #expect(access.to.map(\.address.address) == ["kim@example.com", "lee@example.com"])
        #expect(access.to.map(\.language) == [.korean, .english])
    }

    @Test func aDSNNamesItsEnvelopeEndpoint() throws {
        for (dsn, url) in [
            ("https://abc@o1.ingest.example.com/42", "https://o1.ingest.example.com/api/42/envelope/"),
            ("https://abc:old@example.com:8443/sentry/42", "https://example.com:8443/sentry/api/42/envelope/"),
            ("http://abc@127.0.0.1:9000/1", "http://127.0.0.1:9000/api/1/envelope/"),
        ] {
            guard case .sentry(let access) = try ChannelSecret(secret(#"{"dsn": "\#(dsn)"}"#)) else {
                Issue.record("not sentry")
                return
            }
            #expect(access.url == url)
            #expect(access.key == secret("abc"))
        }
    }

    @Test func resendLivesWhereItsVendorSaysUnlessToldOtherwise() throws {
        let rest = #""resend_key": "re_1", "from": "a@b.c", "to": [{"address": "d@e.f"}]"#
        for (more, url) in [
            ("", "https://api.resend.com/emails"),
            (#", "base_url": "http://localhost:1/r/""#, "http://localhost:1/r/emails"),
        ] {
            guard case .resend(let access) = try ChannelSecret(secret("{\(rest)\(more)}")) else {
                Issue.record("not resend")
                return
            }
            #expect(access.url == url)
        }
    }

    @Test(arguments: [
        ("planted", ChannelProblem.Code.notJSON), (#""planted""#, .notJSON), ("{}", .missing),
        (#"{"url": "planted"}"#, .malformed), (#"{"url": 1}"#, .malformed),
        (#"{"url": "https://planted.example"}"#, .malformed),
        (#"{"url": "http://planted.example/x"}"#, .insecure),
        (#"{"url": "https://a.example/planted", "language": "planted"}"#, .malformed),
        (#"{"url": "https://user:planted@a.example/"}"#, .malformed),
        (#"{"url": "https://a.example/x\r\nplanted"}"#, .malformed),
        (#"{"smtp": "http://planted", "from": "a@b.c", "to": []}"#, .malformed),
        (#"{"smtp": "smtp://a", "password": "planted", "from": "a@b.c", "to": []}"#, .missing),
        (#"{"smtp": "smtp://a", "user": "planted", "from": "a@b.c", "to": []}"#, .missing),
        (#"{"smtp": "smtp://a", "from": "planted", "to": []}"#, .malformed),
        (#"{"smtp": "smtp://a", "from": "a@b.c"}"#, .malformed),
        (#"{"smtp": "smtp://a", "from": "a@b.c\r\nBcc: planted@b.c", "to": []}"#, .malformed),
        (#"{"smtp": "smtp://a", "from": "a@b.c", "to": ["planted@b.c"]}"#, .malformed),
        (#"{"smtp": "smtp://a", "from": "a@b.c", "to": [{"address": "planted"}]}"#, .malformed),
        (#"{"smtp": "smtp://a", "from": "a@b.c", "to": [{"address": "a@b.c", "language": "planted"}]}"#, .malformed),
        (#"{"resend_key": "re_planted", "base_url": "http://planted.example", "from": "a@b.c", "to": []}"#, .insecure),
        (#"{"dsn": "https://planted.example/1"}"#, .malformed), (#"{"dsn": "https://planted@a.example"}"#, .malformed),
        (#"{"dsn": "http://planted@a.example/1"}"#, .insecure),
        (#"{"dsn": "https://planted@a.example/x?y"}"#, .malformed),
    ])
    func whatIsWrongWithASecretIsNamedAndNotShown(_ text: String, _ code: ChannelProblem.Code) {
        let problem = #expect(throws: ChannelProblem.self) { try ChannelSecret(secret(text)) }
        #expect(problem?.code == code)
        #expect(problem?.message.contains("planted") == false)
    }

    @Test func moreReadersThanOneMessageTakesAreRefused() {
        let readers = (0...MailRecipient.limit).map { #"{"address": "a\#($0)@b.c"}"# }.joined(separator: ",")
        let problem = #expect(throws: ChannelProblem.self) {
            try ChannelSecret(secret(#"{"smtp": "smtp://a", "from": "a@b.c", "to": [\#(readers)]}"#))
        }
        #expect(problem?.code == .tooManyRecipients)
    }
}
