import Channels
import EventLog
import FinOps
import Notices
import Secret
import Stages
import Synchronization
import TestSupport
import Testing

/// The notifier with a real webhook that takes what comes and does not say so.
@Suite struct SlackTimeOutTests {
    /// Long enough for a loaded machine to send and answer, short enough to wait for.
    private static let messageSeconds = 2
    private static let words = NoticeSettings(consoleURL: "https://finops.example.com", zone: "Asia/Seoul")

    @Test func aMessageThatWasTakenAndNotAnsweredInTimeIsRepeatedAndSaysSo() async throws {
        let calls = Mutex(0)
        let webhook = LocalServer { _, connection in
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            if call == 1 { return connection.awaitClientLeaving() }
            connection.write(answer("200 OK", "ok"))
        }
        let secret = Secret(Array(#"{"url": "\#(webhook.url)/services/T0/B0/x"}"#.utf8))
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        try await bench.cross("search")
        let notifier = bench.notifier(open: { destination, _ throws(DeliveryRefusal) in
            let settings = ChannelSettings(notice: Self.words, messageSeconds: Self.messageSeconds)
            do throws(ChannelProblem) {
                return try ChannelFactory.deliverer(destination: destination, secret: secret, settings: settings)
            } catch {
                throw DeliveryRefusal(
                    DeliveryFailure(code: "misconfigured", message: error.message, isRetriable: false))
            }
        })
        try await bench.run(notifier) {
            bench.clock.advance(bySeconds: 1)
            return try await bench.count("notification.delivered") == 1
        }

        let failures = try await bench.events("notification.failed").compactMap { event in
            if case .notificationFailed(let failure) = event { failure } else { nil }
        }
        #expect(failures.first?.code == "timed-out")
        #expect(failures.first?.uncertain == true)
        #expect(failures.first?.retriable == true)
        let repeated = "되풀이된 것일 수 있습니다"
        let bodies = webhook.bodies
        #expect(bodies.count >= 2)
        #expect(bodies.first?.contains(repeated) == false)
        #expect(bodies.dropFirst().allSatisfy { $0.contains(repeated) })
    }
}
