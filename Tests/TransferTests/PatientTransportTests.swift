import Synchronization
import Testing
import Transfer

/// Answers in a fixed order, and how it was asked.
private actor Script: HTTPTransport {
    private var answers: [Result<HTTPResponse, TransferFailure>]
    private(set) var asked = 0
    private(set) var mostAtOnce = 0
    private var atOnce = 0

    init(_ answers: [Result<HTTPResponse, TransferFailure>]) { self.answers = answers }

    func send(_ request: HTTPRequest) async throws(TransferFailure) -> HTTPResponse {
        asked += 1
        atOnce += 1
        mostAtOnce = max(mostAtOnce, atOnce)
        defer { atOnce -= 1 }
        await Task.yield()
        return try answers.isEmpty ? HTTPResponse(status: 200) : answers.removeFirst().get()
    }
}

/// A clock that only moves when somebody waits on it.
private final class FakeTime: Sendable {
    let state = Mutex((now: 0.0, pauses: [Double](), paces: [Double]()))

    func waiting(random: Double = 0.5) -> Waiting {
        Waiting(
            pause: { seconds in self.state.withLock { $0.pauses.append(seconds) } },
            pace: { seconds in
                self.state.withLock {
                    $0.paces.append(seconds)
                    $0.now += seconds
                }
            },
            monotonic: { self.state.withLock(\.now) }, now: { 784_111_777 }, random: { random })
    }

    var pauses: [Double] { state.withLock(\.pauses) }
    var paces: [Double] { state.withLock(\.paces) }
}

private struct Refusal: Error, Hashable { let status: Int }

private let judge: @Sendable (HTTPResponse) -> Verdict<HTTPResponse, Refusal> = { response in
    switch response.status {
    case 200: .accept(response)
    case 429, 500...: .retry(Refusal(status: response.status))
    default: .refuse(Refusal(status: response.status))
    }
}

@Suite struct PatientTransportTests {
    private let request = HTTPRequest(url: "http://127.0.0.1")

    private func status(_ status: Int, _ headers: [HTTPHeader] = []) -> Result<HTTPResponse, TransferFailure> {
        .success(HTTPResponse(status: status, headers: headers))
    }

    @Test func failuresAreRetriedAfterOneTwoAndFourSeconds() async throws {
        let time = FakeTime()
        let script = Script([status(500), .failure(TransferFailure(.truncated, message: "")), status(429)])
        let transport = PatientTransport(script, waiting: time.waiting())
        #expect(try await transport.send(request, judge: judge).status == 200)
        #expect(time.pauses == [1, 2, 4])
        let effort = await transport.effort
        #expect(effort.requests == 4)
        #expect(effort.retries == 3)
    }

    @Test(arguments: [(0.0, 0.8), (0.999_999, 1.2)])
    func pausesVaryByAFifth(_ random: Double, _ expected: Double) {
        let decision = RetryPolicy().decision(failures: 1, retryAfter: nil, random: random)
        guard case .retry(let seconds) = decision else {
            Issue.record("not retried")
            return
        }
        #expect(abs(seconds - expected) < 0.001)
    }

    @Test func theFourthFailureIsFinal() async throws {
        let script = Script([status(500), status(500), status(500), status(503)])
        let transport = PatientTransport(script, waiting: FakeTime().waiting())
        await #expect {
            try await transport.send(request, judge: judge)
        } throws: { error in
            guard case PatienceExhausted<Refusal>.judged(let refusal) = error else { return false }
            return refusal == Refusal(status: 503)
        }
        #expect(await script.asked == 4)
    }

    @Test(arguments: [401, 403, 404]) func whatTheServiceRefusesIsNotAskedAgain(_ code: Int) async throws {
        let script = Script([status(code)])
        let transport = PatientTransport(script, waiting: FakeTime().waiting())
        await #expect(throws: PatienceExhausted<Refusal>.self) { try await transport.send(request, judge: judge) }
        #expect(await script.asked == 1)
    }

    @Test func aServersRetryAfterIsObeyedUpToAMinute() async throws {
        let time = FakeTime()
        let script = Script([status(429, [HTTPHeader("Retry-After", "60")])])
        #expect(try await PatientTransport(script, waiting: time.waiting()).send(request, judge: judge).status == 200)
        #expect(time.pauses == [60])
    }

    @Test func aLongerRetryAfterEndsTheRun() async throws {
        let time = FakeTime()
        let script = Script([status(429, [HTTPHeader("retry-after", "61")])])
        let transport = PatientTransport(script, waiting: time.waiting())
        await #expect {
            try await transport.send(request, judge: judge)
        } throws: { error in
            guard case PatienceExhausted<Refusal>.throttled(let seconds) = error else { return false }
            return seconds == 61
        }
        #expect(time.pauses.isEmpty)
    }

    @Test(arguments: ["0", "-5", "-inf", "1e-9", "Sun, 06 Nov 1994 08:49:36 GMT"])
    func aRetryAfterThatAsksForNothingStillPauses(_ wish: String) async throws {
        let time = FakeTime()
        let throttled = status(429, [HTTPHeader("Retry-After", wish)])
        let transport = PatientTransport(Script([throttled, throttled, throttled]), waiting: time.waiting(random: 0))
        #expect(try await transport.send(request, judge: judge).status == 200)
        #expect(time.pauses == [0.8, 1.6, 3.2])
    }

    @Test(arguments: [
        "99999999999999999999", "1e300", String(repeating: "9", count: 400), "Fri, 31 Dec 9999 23:59:59 GMT",
    ])
    func aRetryAfterBeyondAllMeasureIsBounded(_ wish: String) {
        let response = HTTPResponse(status: 429, headers: [HTTPHeader("Retry-After", wish)])
        #expect(RetryAfter.seconds(in: response, now: 0) == RetryAfter.longest)
    }

    @Test func aRetryAfterDateCountsFromTheServersOwnTime() {
        let headers = [
            HTTPHeader("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            HTTPHeader("Retry-After", "Sun, 06 Nov 1994 08:49:57 GMT"),
        ]
        #expect(RetryAfter.seconds(in: HTTPResponse(status: 429, headers: headers), now: 0) == 20)
        let alone = HTTPResponse(status: 429, headers: [headers[1]])
        #expect(RetryAfter.seconds(in: alone, now: 784_111_777 + 5) == 15)
        #expect(
            RetryAfter.seconds(in: HTTPResponse(status: 429, headers: [HTTPHeader("Retry-After", "soon")]), now: 0)
                == nil)
    }

    @Test func requestsStartNoCloserThanTheRateAllows() async throws {
        let time = FakeTime()
        let transport = PatientTransport(Script([]), perSecond: 60, waiting: time.waiting())
        for _ in 0..<61 { _ = try await transport.send(request, judge: judge) }
        #expect(time.paces.count == 60)
        #expect(abs(time.paces.reduce(0, +) - 1) < 0.001)
    }

    @Test func oneRequestIsInFlightHoweverManyAsk() async throws {
        let script = Script([])
        let transport = PatientTransport(script, waiting: FakeTime().waiting())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = try await transport.send(self.request, judge: judge) } }
            try await group.waitForAll()
        }
        #expect(await script.asked == 20)
        #expect(await script.mostAtOnce == 1)
    }
}
