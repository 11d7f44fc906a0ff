import EventLog
import FinOps
import Notices
import Secret
import Synchronization
import TestSupport
import Testing
import Transfer

@testable import Channels

/// Answers in a fixed order, and what it was given.
private final class ScriptedMail: MailTransport {
    private let state: Mutex<(answers: [Result<MailReceipt, MailFailure>], mails: [Mail])>

    init(_ answers: [Result<MailReceipt, MailFailure>]) { state = Mutex((answers, [])) }

    func send(_ mail: Mail, to server: MailServer) async throws(MailFailure) -> MailReceipt {
        try state.withLock { state in
            state.mails.append(mail)
            return state.answers.removeFirst()
        }.get()
    }

    var mails: [Mail] { state.withLock(\.mails) }
}

@Suite struct SMTPChannelTests {
    private func access(port: Int = 25, _ more: String = "") throws -> SMTPAccess {
        let text = #"""
            {"smtp": "smtp://localhost:\#(port)", "from": "FinOps <alerts@example.com>"\#(more),
             "to": [{"address": "kim@example.com"}, {"address": "lee@example.com"}, {"address": "choi@example.com"}]}
            """#
        guard case .smtp(let access) = try ChannelSecret(secret(text)) else {
            throw ChannelProblem(.missing, "is not a mail server's")
        }
        return access
    }

    private func channel(_ access: SMTPAccess, _ transport: any MailTransport) -> SMTPChannel {
        SMTPChannel(access, to: access.to.map(\.address), transport: transport) { notice in
            MailWording(subject: "알림", text: notice.mayRepeat ? "다시" : "처음", html: "<p>")
        }
    }

    private func receipt(_ refused: [Int: SMTPReply] = [:]) -> Result<MailReceipt, MailFailure> {
        .success(MailReceipt(reply: SMTPReply(code: 250, text: "2.0.0 Ok"), refused: refused))
    }

    @Test func aNoticeArrivesAsMailWithALoginThatNobodySees() async throws {
        let arguments = ["--tls", "starttls", "--user", "finops", "--password", "plantedplanted"]
        try await withMailServer(arguments) { running in
            var settings = TransferSettings()
            settings.caBundle = running.certificate
            let access = try access(port: running.port, #", "user": "finops", "password": "plantedplanted""#)
            let outcome = await channel(access, try CurlMailTransport(settings)).deliver(notice(crossed("search-api")))
            #expect(outcome == .delivered(answer: "250 2.0.0 Ok: queued"))
            let message = try await running.message()
            #expect(message.user == "finops")
            #expect(message.sender == "alerts@example.com")
            #expect(message.recipients == ["kim@example.com", "lee@example.com", "choi@example.com"])
            #expect(message.subject == "알림")
            #expect(message.date == "2026-11-22T08:00:00+00:00")
            #expect(!"\(access)".contains("planted"))
        }
    }

    /// The way of every notice, with its real words, to whoever reads that language at a server on loopback.
    private func deliverer(
        _ destination: String, at running: RunningMailServer, seconds: Int = 20
    ) throws -> any NoticeDelivering {
        let text = #"""
            {"smtp": "smtp://localhost:\#(running.port)", "from": "FinOps <alerts@example.com>",
             "to": [{"address": "kim@example.com"}, {"address": "lee@example.com", "language": "en"}]}
            """#
        return try ChannelFactory.deliverer(
            destination: destination, secret: secret(text),
            settings: ChannelSettings(notice: Self.words, messageSeconds: seconds))
    }

    private static let words = NoticeSettings(consoleURL: "https://finops.example.com", zone: "Asia/Seoul")

    @Test(arguments: [
        ("mail-ko", NoticeLanguage.korean, "kim@example.com", "상세 보기", "한도"),
        ("mail-en", .english, "lee@example.com", "Details", "limit"),
    ])
    func aMailArrivesCompleteInTheLanguageOfItsReader(
        _ destination: String, _ language: NoticeLanguage, _ reader: String, _ link: String, _ limit: String
    ) async throws {
        try await withMailServer { running in
            let told = notice(destination: destination, crossed("search-api"), crossed("chat"))
            #expect(try await deliverer(destination, at: running).deliver(told).failure == nil)
            let message = try await running.message()
            let words = MailText(told, language: language, settings: Self.words)
            #expect(message.defects == [])
            #expect(message.recipients == [reader])
            #expect(message.subject == words.subject)
            #expect(message.text?.replacing("\r\n", with: "\n") == words.text)
            #expect(message.html?.replacing("\r\n", with: "\n") == words.html)
            for part in [message.text, message.html] {
                let part = try #require(part)
                for word in ["search-api", "chat", "$12.34", "$10.00", "123.4", link, limit] {
                    #expect(part.contains(word), "\(word)")
                }
                #expect(part.contains("https://finops.example.com/"))
            }
        }
    }

    @Test(arguments: ["message 452 4.2.2 full", "RCPT 450 4.2.1 busy", "greeting 421 4.3.2 closing"])
    func whatAServerPutsOffItTakesLaterUnderTheSameMessageID(_ fault: String) async throws {
        try await withMailServer(["--fault", fault, "--times", "1"]) { running in
            let channel = try deliverer("mail-ko", at: running)
            let failure = try #require(await channel.deliver(notice(crossed("search-api"))).failure)
            #expect(failure.code == "unavailable")
            #expect(failure.isRetriable)
            #expect(!failure.isUncertain)
            #expect(await channel.deliver(notice(crossed("search-api"))).failure == nil)
            let id = MailThread(notice(crossed("search-api")), domain: "example.com").messageID
            #expect(try await running.message().messageID == id)
        }
    }

    @Test(arguments: [("message drop", "unreachable"), ("message hang", "timed-out")])
    func anUncertainMailIsRepeatedUnderTheSameMessageIDAndSaysSo(_ fault: String, _ code: String) async throws {
        try await withMailServer(["--fault", fault, "--times", "1"]) { running in
            let channel = try deliverer("mail-ko", at: running, seconds: code == "timed-out" ? 2 : 20)
            let failure = try #require(await channel.deliver(notice(crossed("search-api"))).failure)
            #expect(failure.code == code)
            #expect(failure.isUncertain)
            #expect(failure.isRetriable)
            let later = notice(crossed("search-api"), mayRepeat: true, at: moment.advanced(bySeconds: 60))
            #expect(await channel.deliver(later).failure == nil)
            // The server had it both times: the mail program of the reader knows it by its identity.
            let (first, second) = (try await running.message(), try await running.message())
            #expect(first.messageID == second.messageID)
            #expect(first.subject == second.subject)
            #expect(first.text?.contains("되풀이") == false)
            #expect(second.text?.contains("되풀이") == true)
            #expect(second.html?.contains("되풀이") == true)
        }
    }

    @Test func aMessageIsKnownByTheSameIDAtEveryAttemptAndByAnotherElsewhere() throws {
        let first = MailThread(notice(crossed("a")), domain: "example.com")
        let again = MailThread(notice(crossed("a"), mayRepeat: true, at: .init(seconds: 1)), domain: "example.com")
        #expect(first.messageID == again.messageID)
        #expect(first.messageID.hasSuffix("@example.com>"))
        #expect(
            first.messageID != MailThread(notice(destination: "mail-en", crossed("a")), domain: "example.com").messageID
        )
        #expect(first.messageID != MailThread(notice(id: "2", crossed("a")), domain: "example.com").messageID)
    }

    @Test func aClearingIsInTheThreadOfItsCrossing() throws {
        func root(_ events: FinOpsEvent...) -> String? {
            MailThread(
                Notice(
                    id: "1", destination: "mail-ko",
                    facts: events.map { .init(kind: .crossed, event: $0, position: .start, recorded: moment) },
                    at: moment),
                domain: "example.com"
            ).root
        }
        #expect(root(crossed("a", level: 80)) == root(cleared("a")))
        #expect(root(crossed("a")) != nil)
        #expect(root(crossed("a")) != root(crossed("b")))
        #expect(root(crossed("a")) != root(crossed("a", day: "2026-11-23")))
        #expect(root(crossed("a"), cleared("a")) == root(crossed("a")))
        #expect(root(crossed("a"), crossed("b")) == nil)
    }

    @Test func whoHasItDoesNotGetItAgainWhileOthersAreTriedFor() async throws {
        let (busy, unknown) = (SMTPReply(code: 450, text: "busy"), SMTPReply(code: 550, text: "unknown"))
        let transport = ScriptedMail([receipt([1: busy, 2: unknown]), receipt(), receipt()])
        let channel = channel(try access(), transport)
        let failure = try #require(await channel.deliver(notice(id: "1")).failure)
        #expect(failure.isRetriable)
        // After a restart everybody gets it: then it says that it may be a repeat.
        #expect(failure.isUncertain)
        #expect(failure.message.contains("recipient 2 of 3"))
        #expect(await channel.deliver(notice(id: "1")) == .delivered(answer: "250 2.0.0 Ok"))
        #expect(await channel.deliver(notice(id: "2")) == .delivered(answer: "250 2.0.0 Ok"))
        #expect(
            transport.mails.map(\.recipients) == [
                ["kim@example.com", "lee@example.com", "choi@example.com"], ["lee@example.com"],
                ["kim@example.com", "lee@example.com", "choi@example.com"],
            ])
    }

    @Test func aRecipientWhoIsRefusedForGoodIsNamedByNumber() async throws {
        let transport = ScriptedMail([receipt([2: SMTPReply(code: 550, text: "5.1.1 unknown")])])
        let answer = await channel(try access(), transport).deliver(notice()).answer
        #expect(answer == "250 2.0.0 Ok; recipient 3 of 3 was refused: 550 5.1.1 unknown")
    }

    @Test(arguments: [
        (MailFailure(.timedOut, message: "", isUncertain: true), "timed-out", true),
        (MailFailure(.connectionLost, message: ""), "unreachable", true),
        (MailFailure(.cannotConnect, message: ""), "unreachable", true),
        (MailFailure(.tlsFailed, message: ""), "unreachable", true),
        (MailFailure(.cancelled, message: "", isUncertain: true), "unreachable", true),
        (MailFailure(.invalidMail, message: ""), "misconfigured", false),
        (MailFailure(.loginRefused, reply: SMTPReply(code: 535, text: ""), message: ""), "not-authorised", false),
        (MailFailure(.loginRefused, reply: SMTPReply(code: 454, text: ""), message: ""), "unavailable", true),
        (MailFailure(.refused, reply: SMTPReply(code: 530, text: ""), message: ""), "not-authorised", false),
        (MailFailure(.refused, reply: SMTPReply(code: 554, text: ""), message: ""), "refused", false),
        (MailFailure(.refused, reply: SMTPReply(code: 421, text: ""), message: ""), "unavailable", true),
    ])
    func everyFailureHasItsPlace(_ failure: MailFailure, _ code: String, _ isRetriable: Bool) async throws {
        let told = try #require(
            await channel(try access(), ScriptedMail([.failure(failure)])).deliver(notice()).failure)
        #expect(told.code == code)
        #expect(told.isRetriable == isRetriable)
        #expect(told.isUncertain == failure.isUncertain)
    }
}
