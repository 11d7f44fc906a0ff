import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Storage
import Testing

/// The notifier's real programs against the sandbox's receivers, which fail on demand.
@Suite(.serialized) struct NotifierTests {
    @Test func aCrossingReachesSlackAndMailOnce() async throws {
        try await Alerted.with { alerted in
            try await alerted.cross("search-api")
            try await eventually("all three are delivered") { try await alerted.count("notification.delivered") == 3 }
            let slack = try await alerted.messages("slack")
            #expect(slack.count == 1 && slack.first?["text"]?.string?.contains("search-api") == true)
            let mails = try await alerted.messages("mail")
            #expect(mails.count == 2 && Set(mails.compactMap { $0["message_id"]?.string }).count == 2)
            #expect(mails.allSatisfy { $0["text"]?.string?.isEmpty == false && $0["html"]?.string?.isEmpty == false })
        }
    }

    @Test func slackIsToldAtMostOnceASecondAndInOrder() async throws {
        try await Alerted.with(mail: false) { alerted in
            for number in 1...4 {
                try await alerted.cross("p\(number)")
                try await eventually("it is queued") { try await alerted.count("notification.queued") == number }
                try await Task.sleep(for: .milliseconds(200))
            }
            try await eventually("everything is told") { try await alerted.told("slack").count == 4 }
            #expect(try await alerted.told("slack") == ["p1", "p2", "p3", "p4"])
            // When they arrived says more about the way: one may be held up, and the next one close behind it.
            let times = try await alerted.attempts()
            #expect(times.count > 1)
            for (earlier, later) in zip(times, times.dropFirst()) {
                #expect(later.microseconds - earlier.microseconds >= 1_000_000)
            }
        }
    }

    @Test func whatSlackAsksForIsWaitedForAndWhatFailsIsRepeated() async throws {
        try await Alerted.with(mail: false) { alerted in
            try await alerted.fault(["kind": "429", "path": "/slack/", "retry_after": 2])
            try await alerted.fault(["kind": "500", "path": "/slack/"])
            try await alerted.cross("search-api")
            try await alerted.cross("chat-api")
            try await eventually("both are told") {
                try await alerted.told("slack").sorted() == ["chat-api", "search-api"]
            }
            let failures = try await alerted.events("notification.failed")
            #expect(failures.count == 2)
            guard case .notificationFailed(let throttled)? = failures.first else { throw Unexpected("\(failures)") }
            let times = try await alerted.attempts()
            try #require(times.count > 1)
            #expect(throttled.code == "throttled" && times[1].microseconds - times[0].microseconds >= 2_000_000)
        }
    }

    @Test func whatMayHaveArrivedIsRepeatedAndSaysSo() async throws {
        try await Alerted.with(mail: false) { alerted in
            try await alerted.fault(["kind": "cut", "path": "/slack/"])
            try await alerted.cross("search-api")
            try await eventually("it is delivered") { try await alerted.count("notification.delivered") == 1 }
            let messages = try await alerted.messages("slack")
            #expect(messages.count == 2)
            let texts = messages.map(\.text)
            #expect(texts.first != texts.last, "the second one says that it may be a repeat")
            guard case .notificationFailed(let failure)? = try await alerted.events("notification.failed").first else {
                Issue.record("no failure")
                return
            }
            #expect(failure.uncertain && failure.retriable)
        }
    }

    @Test func aMailThatIsRefusedForNowArrivesAndOneThatIsRefusedForGoodIsADeadLetter() async throws {
        try await Alerted.with(slack: false) { alerted in
            try await alerted.fault(["kind": "reply", "path": "/smtp/data", "code": 451, "text": "later"])
            try await alerted.cross("search-api")
            try await eventually("both languages are told") { try await alerted.messages("mail").count == 2 }
            try await alerted.fault(["kind": "reply", "path": "/smtp/data", "code": 550, "text": "never"])
            try await alerted.cross("chat-api")
            try await eventually("one is given up") { try await alerted.count("notification.abandoned") == 1 }
            let letters = try await alerted.installation.run("finops", "dead-letters", "list", "--json").expecting()
            #expect(letters.standardOutput.contains("never"))
            try await eventually("the other is told") { try await alerted.messages("mail").count == 3 }
        }
    }

    @Test func whatFailsForTooLongIsADeadLetterThatAMetricShowsAndARetryDelivers() async throws {
        try await Alerted.with(mail: false, configuration: "alert_give_up_after: 2s\n") { alerted in
            try await alerted.fault(["kind": "500", "path": "/slack/", "times": 1_000])
            try await alerted.cross("search-api")
            try await eventually("it is given up") { try await alerted.count("notification.abandoned") == 1 }
            try await eventually("the metric shows it") {
                try alerted.metric("finops_outbox_dead_letters{destination=\"slack\"}") == 1
            }
            _ = try await alerted.installation.control("DELETE", "/sandbox/faults")
            guard case .notificationAbandoned(let letter)? = try await alerted.events("notification.abandoned").first
            else { throw Unexpected("nothing was given up") }
            try await alerted.installation.run(
                "finops", "dead-letters", "retry", "slack/\(letter.notification)", "--reason", "mended"
            ).expecting()
            try await eventually("it is told") { try await alerted.told("slack") == ["search-api"] }
        }
    }

    @Test func failedCollectionsMailAtMostOnceAnHour() async throws {
        try await Alerted.with { alerted in
            for code in ["throttled", "unreachable", "unavailable"] {
                var event = WireRunFailed()
                (event.run, event.provider, event.account) = (UUID().uuidString, "openai", "acme")
                (event.kind, event.code, event.message) = ("poll", code, "no answer")
                (event.fromDay, event.toDay, event.keyMask) = ("2026-11-20", "2026-11-20", "sk-admin-…wxyz")
                try await alerted.append(.runFailed(event), to: "run-acme-2026-11-20")
                try await eventually("mails have gone") { try await alerted.messages("mail").count == 2 }
            }
            // In both languages; a message that may leave is begun in the commit that queues what it tells.
            try await eventually("all are queued") { try await alerted.count("notification.queued") == 6 }
            #expect(try await alerted.count("notification.started") == 2)
            #expect(try await alerted.messages("mail").count == 2)
            #expect(try await alerted.messages("slack").isEmpty)
            let text = try await alerted.messages("mail").first?["text"]?.string ?? ""
            #expect(text.contains("sk-admin-…wxyz") && text.contains("2026-11-20"))
        }
    }

    @Test func aTestSaysWhatTheOtherSideSaid() async throws {
        try await Alerted.with(mail: false) { alerted in
            func test(_ channel: String) async throws -> ProgramResult {
                try await alerted.installation.run("notifier", "test", "--channel", channel, "--json")
            }
            for isRunning in [true, false] {
                if !isRunning { await alerted.stopNotifier() }
                let answer = try await test("slack").expecting().json()
                #expect(answer["ok"]?.bool == true)
                try await alerted.fault(["kind": "reply", "path": "/slack/", "code": 403, "text": "invalid_token"])
                #expect(try await test("slack").expecting(4).standardError.contains("invalid_token"))
                try await alerted.fault(["kind": "reply", "path": "/slack/", "code": 404, "text": "no_service"])
                #expect(try await test("slack").expecting(1).standardError.contains("no_service"))
                try await alerted.fault(["kind": "500", "path": "/slack/"])
                try await test("slack").expecting(75)
                #expect(try await test("mail").expecting(1).standardError.contains("finops channel set mail"))
            }
        }
    }

    @Test func aNotifierThatIsKilledInTheMiddleGoesOn() async throws {
        try await Alerted.with(mail: false) { alerted in
            for number in 1...5 {
                try await alerted.cross("p\(number)")
                try await alerted.restartNotifier(signal: SIGKILL)
            }
            try await eventually("all are told") { try await Set(alerted.told("slack")).count == 5 }
            var acknowledged: Set<String> = []
            for event in try await alerted.events("notification.started", "notification.delivered") {
                switch event {
                case .notificationStarted(let event): #expect(!acknowledged.contains(event.notification))
                case .notificationDelivered(let event): acknowledged.insert(event.notification)
                default: break
                }
            }
        }
    }
}

/// An installation with a log and a notifier, and channels that lead to the sandbox.
private final class Alerted: @unchecked Sendable {
    // One test uses it, step by step: `notifier` changes only between two steps, in the test's own task. It is a class
    // because the closures of `eventually` take it along.
    let installation: Installation
    private let log: RunningProgram
    private var notifier: RunningProgram

    private init(installation: Installation, log: RunningProgram, notifier: RunningProgram) {
        self.installation = installation
        self.log = log
        self.notifier = notifier
    }

    static func with(
        slack: Bool = true, mail: Bool = true, configuration: String = "", _ body: (Alerted) async throws -> Void
    ) async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let path = StateDirectory(path: installation.directory).configuration
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""  // There may be none yet.
            try Data((text + configuration).utf8).write(to: URL(filePath: path))
            let log = try await installation.serveLog()
            defer { log.send(SIGTERM) }
            if slack {
                let file = installation.root.appending(path: "webhook")
                try Data("\(installation.address)/slack/T1/B1/secret".utf8).write(to: file)
                try await installation.run("finops", "channel", "set", "slack", "--url-file", file.path).expecting()
            }
            if mail {
                try await installation.run(
                    "finops", "channel", "set", "mail", "--smtp", installation.mailbox, "--from", "finops@example.com",
                    "--to", "kim@example.com,lee@example.com:en"
                ).expecting()
            }
            let notifier = try installation.start("notifier", ["run"])
            let alerted = Alerted(installation: installation, log: log, notifier: notifier)
            try await installation.answers("notifier")
            do { try await body(alerted) } catch {
                throw Unexpected("\(error)\n\(alerted.notifier.standardErrorSoFar)")
            }
            await alerted.stopNotifier()
            log.send(SIGTERM)
            _ = await log.wait()
        }
    }

    func stopNotifier(signal: Int32 = SIGTERM) async {
        notifier.send(signal)
        _ = await notifier.wait(limit: .seconds(20))
    }

    func restartNotifier(signal: Int32) async throws {
        await stopNotifier(signal: signal)
        notifier = try installation.start("notifier", ["run"])
        try await installation.answers("notifier")
    }

    // MARK: What happens

    func cross(_ project: String) async throws {
        var event = WireThresholdCrossed()
        (event.scope, event.name, event.team, event.window) = ("project", project, "검색팀", "day")
        (event.firstDay, event.zone, event.level, event.basis) = ("2026-11-20", "Asia/Seoul", 80, "metered")
        let start = try #require(Day("2026-11-19")).utcStart.advanced(bySeconds: 15 * 3_600).seconds
        (event.windowStart, event.windowEnd, event.usageThrough) = (start, start + 86_400, start + 3_600)
        let money = Money(nanos: 10_000_000_000, currency: .usd).wire
        (event.limit, event.cost, event.forecast) = (money, Money(nanos: 8_100_000_000, currency: .usd).wire, money)
        try await append(.thresholdCrossed(event), to: "alert-day-2026-11-20")
    }

    func append(_ event: FinOpsEvent, to stream: StreamName) async throws {
        let connection = try await LogConnector.remote.connect(StateDirectory(path: installation.directory))
        var random = SystemRandomNumberGenerator()
        let id = EventID.v7(at: wallTime(), using: &random)
        let session = try await connection.store.openSession(ProducerName("test-\(id)"))
        try await connection.store.append(
            AppendRequest(
                session: session, sequence: 1, [StreamAppend(stream, [event.newEvent(id: id, occurred: wallTime())])]))
        await connection.close()
    }

    func fault(_ fault: JSONValue) async throws {
        _ = try await installation.control("POST", "/sandbox/faults", fault)
    }

    // MARK: What is to be seen

    func messages(_ receiver: String) async throws -> [JSONValue] {
        try await installation.control("GET", "/sandbox/\(receiver)")["messages"]?.array ?? []
    }

    /// The projects that the messages of a receiver name, in the order of arrival.
    func told(_ receiver: String) async throws -> [String] {
        try await messages(receiver).flatMap { message in
            let text = message.text
            return ["search-api", "chat-api", "p1", "p2", "p3", "p4", "p5"].filter { text.contains("· \($0) ·") }
        }
    }

    func events(_ types: EventType...) async throws -> [FinOpsEvent] {
        try await recorded(types).compactMap { try EventCatalogue.decode($0.event) }
    }

    func count(_ type: EventType) async throws -> Int { try await recorded([type]).count }

    /// When each attempt began.
    func attempts() async throws -> [Timestamp] { try await recorded(["notification.started"]).map(\.recorded) }

    private func recorded(_ types: [EventType]) async throws -> [RecordedEvent] {
        let directory = StateDirectory(path: installation.directory)
        let reader = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        return try await reader.read(after: .start, limit: EventLimits.readEvents, types: Set(types)).events
    }

    func metric(_ series: String) throws -> Double? {
        let socket = try StateDirectory(path: installation.directory).healthSocket(stage: "notifier")
        let lines = HealthClient.get("/metrics", socket: socket)?.body.split(separator: "\n") ?? []
        return lines.first { $0.hasPrefix(series) }.flatMap { Double($0.dropFirst(series.count + 1)) }
    }
}

extension Installation {
    fileprivate func answers(_ stage: String) async throws {
        let socket = try StateDirectory(path: directory).healthSocket(stage: stage)
        try await eventually("\(stage) is ready") { HealthClient.get("/readyz", socket: socket)?.status == 200 }
    }
}
