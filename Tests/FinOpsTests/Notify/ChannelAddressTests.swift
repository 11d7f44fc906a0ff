import FinOps
import Testing

@Suite struct ChannelAddressTests {
    @Test(arguments: [
        ("https://hooks.slack.com/services/T0/B0/hunter2", ChannelAddress.Kind.webhook, "https://hooks.slack.com"),
        ("http://127.0.0.1:8080/slack/hunter2", .webhook, "http://127.0.0.1:8080"),
        ("http://[::1]:9/x?token=hunter2", .webhook, "http://[::1]:9"),
        ("HTTPS://API.Resend.com", .interface, "https://api.resend.com"),
        ("https://hunter2@o1.ingest.sentry.io/42", .sentryDSN, "https://o1.ingest.sentry.io"),
        ("https://hunter2:old@errors.example.com:8443/sub/7", .sentryDSN, "https://errors.example.com:8443"),
        ("smtp://mail.example.com", .mailServer, "smtp://mail.example.com:587"),
        ("smtps://mail.example.com", .mailServer, "smtps://mail.example.com:465"),
        ("smtp://127.0.0.1:2525/", .mailServer, "smtp://127.0.0.1:2525"),
    ])
    func schemeHostAndPortMayBeSeen(text: String, kind: ChannelAddress.Kind, seen: String) throws {
        #expect(try ChannelAddress(text, as: kind).text == seen)
    }

    @Test(arguments: [
        ("", ChannelAddress.Kind.webhook, "does not begin with https:// or http://"),
        ("hooks.slack.com/services/hunter2", .webhook, "does not begin with https://"),
        ("http://hooks.slack.com/services/hunter2", .webhook, "unencrypted"),
        ("http://127.0.0.1.example.com/hunter2", .webhook, "unencrypted"),
        ("https://hooks.slack.com", .webhook, "has no path"), ("https:///hunter2", .webhook, "names no host"),
        ("https://x/hunter2#a", .webhook, "after #"), ("https://hunter2@x/y", .webhook, "a user or a password"),
        ("https://x:99999/hunter2", .webhook, "no valid port"), ("https://x/hun ter2", .webhook, "at place 14"),
        ("https://x/hunter2\r\nb", .webhook, "at place 18"), ("https://x/a?hunter2", .interface, "after ?"),
        ("https://sentry.example.com/42", .sentryDSN, "no key"), ("https://hunter2@x/", .sentryDSN, "no project"),
        ("smtp://me:hunter2@x", .mailServer, "--password-file"), ("smtp://x/hunter2", .mailServer, "has a path"),
        ("mail.example.com:587", .mailServer, "smtp:// or smtps://"),
    ])
    func whatIsNoAddressIsRefusedWithAnExampleAndWithoutRepeatingIt(
        text: String, kind: ChannelAddress.Kind, words: String
    ) {
        let error = #expect(throws: MalformedChannelAddress.self) { try ChannelAddress(text, as: kind) }
        let said = error?.description ?? ""
        #expect(said.contains(words) && said.contains("write it like "), "\(said)")
        #expect(!said.contains("hunter2"))
    }
}

@Suite struct GivenRecipientTests {
    private func seen(_ text: String) throws -> [String] {
        try GivenRecipient.list(text).map { "\($0.address.text) \($0.language)" }
    }

    @Test func recipientsReadKoreanUnlessTheyReadEnglish() throws {
        #expect(
            try seen("kim@example.com,lee@Example.COM:en, o'neil+a@x-y.co.kr:ko") == [
                "kim@example.com ko", "lee@example.com en", "o'neil+a@x-y.co.kr ko",
            ])
    }

    @Test(arguments: [
        ("", "place 1: it needs one @"), ("a@x,", "place 2: it needs one @"), ("a@x,b", "place 2: it needs one @"),
        ("a@x@y", "place 1: it needs one @"), ("@x", "before the @"), (".hunter2@x", "before the @"),
        ("a..b@x", "before the @"), ("a@", "after the @"), ("a@x..y", "after the @"), ("a@x_y", "after the @"),
        ("김@x", "a character at place 1"), ("a@x\r\nBcc: b", "no language after the colon at place 1"),
        ("a@x\r\nBcc", "a character at place 4"), ("a b@x", "a character at place 2"), ("a@x:de", "at place 1"),
        ("a@x:en:ko", "at place 1"), ("a@x,b@x,a@X:en", "twice, at places 1 and 3"),
        ("<a@x>", "before the @"), (String(repeating: "a", count: 65) + "@x", "before the @"),
    ])
    func whatIsNoRecipientIsRefusedWithItsPlaceAndWithoutRepeatingIt(text: String, words: String) {
        let error = #expect(throws: MalformedRecipients.self) { try GivenRecipient.list(text) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func fiftyAreEnough() throws {
        func list(_ count: Int) -> String { (1...count).map { "a\($0)@x" }.joined(separator: ",") }
        #expect(try GivenRecipient.list(list(50)).count == 50)
        let error = #expect(throws: MalformedRecipients.self) { try GivenRecipient.list(list(51)) }
        #expect(error?.description.contains("51 addresses; use at most 50") == true)
    }

    @Test func aListShowsOnlyTheBeginningOfAnAddress() throws {
        #expect(try GivenAddress("kim@example.com").masked == "k…@example.com")
        #expect(GivenAddress.mask("no address") == "n…")
    }
}
