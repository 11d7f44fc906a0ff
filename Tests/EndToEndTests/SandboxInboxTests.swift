import Foundation
import JSON
import Testing

/// The sandbox's receivers take what Slack and a mail server would take, spoken to by curl and Python's smtplib.
@Suite(.serialized) struct SandboxInboxTests {
    @Test func aWebhookTakesWhatSlackTakesAndRefusesTheRest() async throws {
        try await Installation.with { installation in
            #expect(try await installation.post(["text": "hello <!channel>"]) == "200 ok")
            #expect(try await installation.post(["text": "hello <!channel>"]) == "200 ok")
            #expect(try await installation.post(["blocks": []]) == "400 no_text")
            #expect(try await installation.post("nothing") == "400 invalid_payload")
            let header: JSONValue = [
                "type": "header", "text": ["type": "plain_text", "text": .string(String(repeating: "가", count: 151))],
            ]
            #expect(try await installation.post(["text": "x", "blocks": [header]]) == "400 invalid_blocks")
            let divider: JSONValue = ["type": "divider"]
            let many = JSONValue.array(Array(repeating: divider, count: 51))
            #expect(try await installation.post(["text": "x", "blocks": many]) == "400 invalid_blocks")
            #expect(try await installation.post(["text": "x"], to: "/slack/nobody") == "404 no_service")
            let inbox = try await installation.control("GET", "/sandbox/slack")
            // Twice the same is two messages.
            #expect(
                inbox["messages"]?.array?.compactMap { $0["text"]?.string } == ["hello <!channel>", "hello <!channel>"])
            #expect(inbox["refused"]?.array?.count == 4)
            #expect(inbox["refused"]?.array?.last?["problem"] == "51 blocks, at most 50")
            let page = try await installation.said(by: "/usr/bin/curl", ["-sS", installation.address + "/inbox"])
            #expect(page.contains("hello &lt;!channel&gt;"))
        }
    }

    @Test func aWebhookThatIsAskedTooOftenSaysWhenToComeAgain() async throws {
        try await Installation.with(sandbox: ["--slack-limit"]) { installation in
            // Sent over one connection, so that no slow start of a program spreads them.
            let answers = try await installation.said(
                by: "/usr/bin/curl",
                ["-sS", "-d", #"{"text":"x"}"#, "-w", " %{http_code} %header{retry-after}\n"]
                    + Array(repeating: installation.address + "/slack/T1/B1/x", count: 6))
            let lines = answers.split(separator: "\n")
            #expect(lines.first == "ok 200 ")
            #expect(lines.last == "rate_limited 429 1")
            #expect(try await installation.post(["text": "x"], to: "/slack/T1/B2/y") == "200 ok")
        }
    }

    @Test func aWebhookFailsOnDemand() async throws {
        try await Installation.with { installation in
            func fault(_ fault: JSONValue) async throws {
                _ = try await installation.control("POST", "/sandbox/faults", fault)
            }
            try await fault(["kind": "429", "path": "/slack/", "retry_after": 7])
            #expect(try await installation.post(["text": "a"]) == "429 rate_limited")
            try await fault(["kind": "500", "path": "/slack/"])
            #expect(try await installation.post(["text": "b"]) == "500 rollback_error")
            try await fault(["kind": "reply", "path": "/slack/", "code": 410, "text": "channel_is_archived"])
            #expect(try await installation.post(["text": "c"]) == "410 channel_is_archived")
            try await fault(["kind": "cut", "path": "/slack/"])
            #expect(try await installation.post(["text": "kept"]) == "000 ")
            try await fault(["kind": "cut", "path": "/slack/", "kept": false])
            #expect(try await installation.post(["text": "lost"]) == "000 ")
            try await fault(["kind": "timeout", "path": "/slack/", "delay_ms": 60_000])
            #expect(try await installation.post(["text": "late"], ["--max-time", "1"]) == "000 ")
            let inbox = try await installation.control("GET", "/sandbox/slack")
            #expect(inbox["messages"]?.array?.compactMap { $0["text"]?.string } == ["kept", "late"])
            #expect(inbox["refused"]?.array?.compactMap { $0["text"]?.string } == ["a", "b", "c", "lost"])
        }
    }

    @Test func aMailArrivesAsItWasWritten() async throws {
        try await Installation.with { installation in
            try await installation.mail(subject: "🔴 [임계값 초과] 검색팀 · search-api · $12.34 / $10.00 (123.4 %)")
            try await installation.mail(subject: "second")
            try await installation.mail(subject: "second")
            let mails = try #require(try await installation.control("GET", "/sandbox/mail")["messages"]?.array)
            #expect(mails.map { $0["message_id"]?.string } == ["<1@finops>", "<1@finops>", "<1@finops>"])
            let first = try #require(mails.first)
            #expect(first["subject"]?.string == "🔴 [임계값 초과] 검색팀 · search-api · $12.34 / $10.00 (123.4 %)")
            #expect(first["from"]?.string == "finops@example.com")
            #expect(first["to"]?.array == ["kim@example.com", "lee@example.com"])
            #expect(first["text"]?.string?.contains("\n.점으로 시작하는 줄\n..\n") == true)
            #expect(first["html"]?.string?.contains("<p>검색팀</p>") == true)
            #expect(first["headers"]?["Auto-Submitted"]?.string == "auto-generated")
        }
    }

    @Test func aMailboxFailsOnDemand() async throws {
        try await Installation.with { installation in
            func meeting(_ fault: JSONValue) async throws -> String {
                _ = try await installation.control("POST", "/sandbox/faults", fault)
                return try await installation.mail(subject: "\(fault["path"]?.string ?? "")", limit: 2)
            }
            func reply(_ moment: String, _ code: Int64) -> JSONValue {
                ["kind": "reply", "path": .string("/smtp/" + moment), "code": .integer(code), "text": "no"]
            }
            #expect(try await meeting(reply("connect", 421)).hasPrefix("SMTPConnectError 421"))
            #expect(try await meeting(reply("mail", 550)).hasPrefix("SMTPSenderRefused 550"))
            #expect(try await meeting(reply("rcpt", 450)) == "refused ['kim@example.com']")
            #expect(try await meeting(reply("data", 451)).hasPrefix("SMTPDataError 451"))
            #expect(try await meeting(reply("end", 550)).hasPrefix("SMTPDataError 550"))
            #expect(try await installation.control("GET", "/sandbox/mail")["messages"]?.array?.count == 1)
            let cut: JSONValue = ["kind": "cut", "path": "/smtp/end"]
            #expect(try await meeting(cut).hasPrefix("SMTPServerDisconnected"))
            let lost: JSONValue = ["kind": "cut", "path": "/smtp/end", "kept": false]
            #expect(try await meeting(lost).hasPrefix("SMTPServerDisconnected"))
            let hang: JSONValue = ["kind": "timeout", "path": "/smtp/end", "delay_ms": 60_000]
            #expect(try await meeting(hang).hasSuffix("timed out"))
            let inbox = try await installation.control("GET", "/sandbox/mail")
            #expect(inbox["messages"]?.array?.count == 3)
            #expect(inbox["refused"]?.array?.count == 6)
            #expect(try await installation.mail(subject: "at last") == "sent")
        }
    }

    @Test func whatArrivedIsPrintedWhileTheSandboxRunsAndAfterADemo() async throws {
        try await Installation.with { installation in
            let block: JSONValue = ["type": "section", "text": ["type": "mrkdwn", "text": "5 &gt; 4 <!channel>"]]
            #expect(try await installation.post(["text": "hello", "blocks": [block]]) == "200 ok")
            #expect(try await installation.post(["blocks": []]) == "400 no_text")
            try await installation.mail(subject: "🔴 [임계값 초과] search-api")
            func inbox(_ arguments: [String]) async throws -> ProgramResult {
                await (try RunningProgram("sandbox", ["inbox"] + arguments, scratch: installation.root)).wait()
            }
            let json = try await inbox(["--address", installation.address, "--json"]).expecting().json()
            #expect(json["slack"]?["messages"]?.array?.first?["text"] == "hello")
            #expect(json["slack"]?["refused"]?.array?.count == 1)
            #expect(json["mail"]?["messages"]?.array?.first?["subject"] == "🔴 [임계값 초과] search-api")
            let text = try await inbox(["--address", installation.address + "/"]).expecting().standardOutput
            for words in [
                "Slack (1, 1 refused)\n", "    5 > 4 <!channel>\n", "refused: no_text\n", "Mail (1)\n",
                "finops@example.com → kim@example.com, lee@example.com\n", "    🔴 [임계값 초과] search-api\n", "    첫 줄\n",
                "    끝\n",
                "Sentry (0)\n",
            ] {
                #expect(text.contains(words), "\(words) in \(text)")
            }

            // A demo leaves an address where nobody answers, and what arrived.
            let demo = installation.root.appending(path: "demo-state")
            let kept = demo.appending(path: "demo/inbox")
            #expect(try await inbox(["--dir", demo.path]).expecting(1).standardError.contains("no demo was played"))
            try FileManager.default.createDirectory(at: kept, withIntermediateDirectories: true)
            try Data("http://127.0.0.1:1\n".utf8).write(to: demo.appending(path: "demo/address"))
            try Data((json["mail"]?.text ?? "").utf8).write(to: kept.appending(path: "mail.json"))
            let left = try await inbox(["--dir", demo.path, "--json"]).expecting().json()
            #expect(left["mail"] == json["mail"])
            #expect(left["slack"]?["messages"]?.array == [])
            try await inbox(["--address", "http://127.0.0.1:1"]).expecting(5)
        }
    }

    @Test func resendAndSentryTakeMessagesToo() async throws {
        try await Installation.with { installation in
            let mail = #"{"from":"a@x.com","to":["b@x.com"],"subject":"s","html":"<p>h</p>","text":"t"}"#
            func resend(_ more: [String]) async throws -> JSONValue {
                try JSONValue.parse(
                    try await installation.said(
                        by: "/usr/bin/curl", ["-sS", "-d", mail, installation.address + "/resend/emails"] + more))
            }
            #expect(try await resend([])["name"] == "missing_api_key")
            let authorised = ["-H", "Authorization: Bearer re_x", "-H", "Idempotency-Key: k"]
            let first = try await resend(authorised)
            #expect(try await resend(authorised) == first)
            let mails = try await installation.control("GET", "/sandbox/mail")["messages"]?.array
            #expect(mails?.count == 1 && mails?.first?["via"] == "resend")
            let envelope =
                "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n{\"type\":\"event\"}\n{\"message\":\"m\"}\n"
            let answer = try await installation.said(
                by: "/usr/bin/curl",
                ["-sS", "--data-binary", envelope, installation.address + "/api/1/envelope/?sentry_key=k"])
            #expect(try JSONValue.parse(answer)["id"] == "9ec79c33ec9942ab8353589fcb2e04dc")
            let sentry = try await installation.control("GET", "/sandbox/sentry")["messages"]?.array
            #expect(sentry?.first?["envelope"]?.array?.last?["message"] == "m")
        }
    }
}

extension Installation {
    /// Sends to a webhook. - Returns: the status and the answer; `000 ` if there was none.
    fileprivate func post(_ message: JSONValue, to path: String = "/slack/T1/B1/secret", _ more: [String] = [])
        async throws -> String
    {
        // curl ends with a code of its own where there is no answer; what it writes says so, too.
        let script = #"curl -sS -H 'Content-Type: application/json' -w '\n%{http_code}' "$@" 2>&- || true"#
        let said = try await said(by: "/bin/sh", ["-c", script, "sh", "-d", message.text, address + path] + more)
        let lines = said.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return "\(lines.last ?? "") \(lines.dropLast().joined())"
    }

    fileprivate func post(_ message: JSONValue, _ more: [String]) async throws -> String {
        try await post(message, to: "/slack/T1/B1/secret", more)
    }

    /// Sends a mail of two parts to two people by Python's smtplib. - Returns: what came of it, in its words.
    @discardableResult
    fileprivate func mail(subject: String, limit: Int = 10) async throws -> String {
        let script = """
            import smtplib, sys
            from email.message import EmailMessage
            host, port = sys.argv[1].removeprefix("smtp://").split(":")
            mail = EmailMessage()
            mail["Subject"] = sys.argv[2]
            mail["From"] = "finops@example.com"
            mail["To"] = "kim@example.com, lee@example.com"
            mail["Message-ID"] = "<1@finops>"
            mail["Auto-Submitted"] = "auto-generated"
            mail.set_content("첫 줄\\n.점으로 시작하는 줄\\n..\\n끝\\n", cte="8bit")
            mail.add_alternative("<html><body><p>검색팀</p></body></html>", subtype="html")
            try:
                with smtplib.SMTP(host, int(port), timeout=int(sys.argv[3])) as server:
                    refused = server.send_message(mail)
                print("refused " + str(sorted(refused)) if refused else "sent", end="")
            except Exception as error:
                print(type(error).__name__, getattr(error, "smtp_code", ""), error, end="")
            """
        return try await said(by: "/usr/bin/env", ["python3", "-c", script, mailbox, subject, "\(limit)"])
    }
}
