import Secret
import TestSupport
import Testing
import Transfer

@Suite struct CurlMailTransportTests {
    private static let password = "correct-horse-battery"

    private func mail(
        to recipients: [String] = ["kim@example.com"], _ body: String = "Hello.\r\n"
    ) -> Mail {
        Mail(
            sender: "alerts@example.com", recipients: recipients,
            message: Array("From: alerts@example.com\r\nSubject: s\r\n\r\n\(body)".utf8))
    }

    private func server(
        _ running: RunningMailServer, scheme: String = "smtp", host: String = "localhost", password: String? = nil
    ) throws -> MailServer {
        try MailServer(
            url: "\(scheme)://\(host):\(running.port)",
            login: password.map { .init(user: "finops", password: Secret(Array($0.utf8))) })
    }

    private func transport(_ running: RunningMailServer? = nil, seconds: Int = 20) throws -> CurlMailTransport {
        var settings = TransferSettings()
        settings.caBundle = running?.certificate
        settings.totalSeconds = seconds
        return try CurlMailTransport(settings)
    }

    /// How sending fails at a server with a fault.
    private func failure(
        of mail: Mail, fault: String, seconds: Int = 20
    ) async throws -> MailFailure? {
        try await withMailServer(["--fault", fault]) { running in
            await #expect(throws: MailFailure.self) {
                try await transport(seconds: seconds).send(mail, to: server(running))
            }
        }
    }

    @Test func theMessageArrivesByteForByte() async throws {
        let long = String(repeating: "x", count: 998)
        let body = ".\r\n..\r\n.dot\r\n\r\n\(long)\r\n.\(long.dropFirst())\r\n한국어\r\n.\r\n"
        try await withMailServer { running in
            let mail = mail(to: ["kim@example.com", "lee@example.com"], body)
            let receipt = try await transport().send(mail, to: server(running))
            let message = try await running.message()
            #expect(receipt == MailReceipt(reply: SMTPReply(code: 250, text: "2.0.0 Ok: queued"), refused: [:]))
            #expect(Array(message.raw) == mail.message)
            #expect(message.sender == mail.sender)
            #expect(message.recipients == mail.recipients)
            #expect(!message.tls)
        }
    }

    @Test func aLoginGoesOverTLSThatTheServerStarts() async throws {
        try await withMailServer(["--tls", "starttls", "--user", "finops", "--password", Self.password]) { running in
            let transport = try transport(running)
            for _ in 0..<2 { _ = try await transport.send(mail(), to: server(running, password: Self.password)) }
            let message = try await running.message()
            #expect(message.tls)
            #expect(message.user == "finops")
        }
    }

    @Test func aLoginGoesOverTLSFromTheStart() async throws {
        try await withMailServer(["--tls", "implicit", "--user", "finops", "--password", Self.password]) { running in
            let server = try server(running, scheme: "smtps", host: "127.0.0.1", password: Self.password)
            _ = try await transport(running).send(mail(), to: server)
            let message = try await running.message()
            #expect(message.tls)
            #expect(message.user == "finops")
        }
    }

    @Test(arguments: ["starttls", "implicit"])
    func aServerThatNobodyVouchesForGetsNothing(_ tls: String) async throws {
        try await withMailServer(["--tls", tls, "--user", "finops", "--password", Self.password]) { running in
            let server = try server(
                running, scheme: tls == "implicit" ? "smtps" : "smtp", password: Self.password)
            let failure = await #expect(throws: MailFailure.self) {
                try await transport().send(mail(), to: server)
            }
            #expect(failure?.kind == .tlsFailed)
            #expect(failure?.isUncertain == false)
        }
    }

    @Test func aPasswordIsNotSentInClearText() async throws {
        try await withMailServer { running in
            let failure = await #expect(throws: MailFailure.self) {
                try await transport().send(mail(), to: server(running, password: Self.password))
            }
            #expect(failure?.kind == .tlsFailed)
            #expect(failure?.isRetriable == false)
        }
    }

    @Test(arguments: [[], ["--echo"]])
    func aWrongPasswordIsRefusedForGoodAndIsInNoText(_ more: [String]) async throws {
        let arguments = ["--tls", "starttls", "--user", "finops", "--password", "another"] + more
        try await withMailServer(arguments) { running in
            let server = try server(running, password: Self.password)
            let failure = await #expect(throws: MailFailure.self) {
                try await transport(running).send(mail(), to: server)
            }
            #expect(failure?.kind == .loginRefused)
            #expect(failure?.reply?.code == 535)
            #expect(failure?.isRetriable == false)
            let told = String(reflecting: failure) + "\(server)"
            #expect(!told.contains(Self.password))
            // Of "\0finops\0correct-horse-battery" in base64.
            #expect(!told.contains("AGZpbm9wcwBj"))
        }
    }

    @Test(arguments: [
        ("greeting 421 4.3.2 closing", true), ("greeting 554 5.7.1 not you", false),
        ("MAIL 451 4.3.0 later", true), ("MAIL 530 5.7.0 login first", false),
        ("RCPT 450 4.2.1 busy", true), ("RCPT 550 5.1.1 <kim@example.com>: no such user", false),
        ("DATA 451 4.3.0 later", true), ("DATA 554 5.7.1 never", false),
        ("message 452 4.2.2 full", true), ("message 552 5.3.4 too large", false),
    ])
    func aRefusalIsForNowOrForGood(_ fault: String, _ isTemporary: Bool) async throws {
        let failure = try #require(await failure(of: mail(), fault: fault))
        #expect(failure.kind == .refused)
        #expect(failure.reply?.code == Int(fault.split(separator: " ")[1]))
        #expect(failure.isRetriable == isTemporary)
        #expect(!failure.isUncertain)
        #expect(!failure.message.contains("kim@"))
    }

    @Test func oneRefusedRecipientKeepsTheMessageFromNobodyElse() async throws {
        try await withMailServer(["--fault", "RCPT:lee@example.com 550 5.1.1 no such user"]) { running in
            let mail = mail(to: ["kim@example.com", "lee@example.com", "choi@example.com"])
            let receipt = try await transport().send(mail, to: server(running))
            #expect(receipt.refused == [1: SMTPReply(code: 550, text: "5.1.1 no such user")])
            #expect(try await running.message().recipients == ["kim@example.com", "choi@example.com"])
        }
    }

    @Test func aConnectionDroppedAfterTheMessageLeavesItsFateUnknown() async throws {
        let failure = try #require(await failure(of: mail(), fault: "message drop"))
        #expect(failure.kind == .connectionLost)
        #expect(failure.isUncertain)
        #expect(failure.isRetriable)
    }

    @Test func anAnswerThatDoesNotComeAfterTheMessageLeavesItsFateUnknown() async throws {
        let failure = try #require(await failure(of: mail(), fault: "message hang", seconds: 3))
        #expect(failure.kind == .timedOut)
        #expect(failure.isUncertain)
        #expect(failure.isRetriable)
    }

    @Test func aConnectionDroppedInsideTheMessageTookNothing() async throws {
        let long = String(repeating: String(repeating: "x", count: 76) + "\r\n", count: 200_000)
        let failure = try #require(await failure(of: mail(long), fault: "inside drop"))
        #expect(failure.kind == .connectionLost)
        #expect(!failure.isUncertain)
        #expect(failure.isRetriable)
    }

    @Test(arguments: [
        ("greeting hang", MailFailure.Kind.timedOut), ("greeting drop", .connectionLost),
        ("MAIL hang", .timedOut), ("MAIL drop", .connectionLost),
    ])
    func whatFailsBeforeTheMessageIsCertain(_ fault: String, _ kind: MailFailure.Kind) async throws {
        let failure = try #require(await failure(of: mail(), fault: fault, seconds: kind == .timedOut ? 1 : 20))
        #expect(failure.kind == kind)
        #expect(!failure.isUncertain)
        #expect(failure.isRetriable)
    }

    @Test(arguments: ["QUIT hang", "QUIT drop", "QUIT 421 4.0.0 no goodbye"])
    func aGoodbyeThatFailsTakesNothingBack(_ fault: String) async throws {
        try await withMailServer(["--fault", fault]) { running in
            let receipt = try await transport(seconds: 600).send(mail(), to: server(running))
            #expect(receipt.reply.code == 250)
        }
    }

    @Test func aCancelledTaskEndsItsConversation() async throws {
        try await withMailServer(["--fault", "message hang"]) { running in
            let (transport, server, mail) = (try transport(seconds: 600), try server(running), mail())
            let sending = Task { try await transport.send(mail, to: server) }
            _ = try await running.message()
            sending.cancel()
            let failure = await #expect(throws: MailFailure.self) { try await sending.value }
            #expect(failure?.kind == .cancelled)
            #expect(failure?.isUncertain == true)
        }
    }

    @Test func nobodyListeningIsNoConnection() async throws {
        let failure = await #expect(throws: MailFailure.self) {
            try await transport().send(mail(), to: MailServer(url: "smtp://127.0.0.1:1"))
        }
        #expect(failure?.kind == .cannotConnect)
        #expect(failure?.isRetriable == true)
    }

    @Test(arguments: ["a@b.c\r\nRCPT TO:<x@y.z>", "a@b.c>", "a b@c.d", "", "nobody", "a@b@c", "한@b.c"])
    func whatIsNoAddressIsNotSent(_ address: String) async throws {
        for mail in [
            mail(to: ["kim@example.com", address]), Mail(sender: address, recipients: ["a@b.c"], message: [13, 10]),
        ] {
            let failure = await #expect(throws: MailFailure.self) {
                try await transport().send(mail, to: MailServer(url: "smtp://127.0.0.1:1"))
            }
            #expect(failure?.kind == .invalidMail)
        }
    }

    @Test(arguments: ["a\n", "a\rb\r\n", "a\r\nb", String(repeating: "x", count: 999) + "\r\n"])
    func linesThatAreNotMailsAreNotSent(_ message: String) async throws {
        let failure = await #expect(throws: MailFailure.self) {
            try await transport().send(mail(message), to: MailServer(url: "smtp://127.0.0.1:1"))
        }
        #expect(failure?.kind == .invalidMail)
    }

    @Test(arguments: [
        "http://a", "smtp://", "smtp://user:password@a", "smtp://a/path", "smtps://a?b", "smtp://a b", "a:25",
    ])
    func anAddressThatIsNoMailServersIsRefused(_ url: String) {
        let failure = #expect(throws: MailFailure.self) { try MailServer(url: url) }
        #expect(failure?.kind == .invalidMail)
        #expect(failure?.message.contains("password@") == false)
    }
}
