import CLoopWait
import Glibc
import NIOCore
import NIOPosix
import Testing

/// How an event loop waits, each time for a timer.
struct LoopWaitTests {
    /// What a row of waits took.
    private struct Row: Sendable {
        /// How often the loop's thread was put to sleep.
        var sleeps: Int
        /// Seconds of the processor, and seconds that passed.
        var busy: Double
        var passed: Double
    }

    private func onLoop<Answer: Sendable>(
        awake: TimeAmount, _ body: (any EventLoop) async throws -> Answer
    ) async throws -> Answer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        try await loop.submit { loop_wait_awake(awake.nanoseconds) }.get()
        let answer = try await body(loop)
        try await group.shutdownGracefully()
        return answer
    }

    /// - Parameter each: how long each wait is to last.
    private func waits(_ count: Int, each: TimeAmount, on loop: any EventLoop) async throws -> Row {
        let done = loop.makePromise(of: Row.self)
        loop.execute {
            let (before, began) = (Usage.now, NIODeadline.now())
            @Sendable func wait(_ left: Int) {
                guard left > 0 else {
                    let (after, passed) = (Usage.now, NIODeadline.now() - began)
                    return done.succeed(
                        Row(
                            sleeps: after.sleeps - before.sleeps, busy: after.seconds - before.seconds,
                            passed: Double(passed.nanoseconds) / 1e9))
                }
                loop.scheduleTask(in: each) { wait(left - 1) }
            }
            wait(count)
        }
        return try await done.futureResult.get()
    }

    @Test func aLoopWhoseWaitsAreShortStaysAwake() async throws {
        try await onLoop(awake: .milliseconds(500)) { loop in
            let row = try await waits(400, each: .microseconds(200), on: loop)
            // The first few only show how long they are.
            #expect(row.sleeps < 40)
        }
    }

    @Test func aLoopWhoseWaitsAreLongSleeps() async throws {
        try await onLoop(awake: .microseconds(100)) { loop in
            let row = try await waits(20, each: .milliseconds(50), on: loop)
            #expect(row.sleeps >= 15)
            #expect(row.busy < row.passed / 4)
        }
    }

    @Test func aLoopThatWasNotToldSleeps() async throws {
        try await onLoop(awake: .zero) { loop in
            let row = try await waits(50, each: .milliseconds(10), on: loop)
            #expect(row.sleeps >= 40)
        }
    }

    @Test func onceWaitsBecomeLongALoopSleepsAgain() async throws {
        try await onLoop(awake: .milliseconds(20)) { loop in
            let short = try await waits(400, each: .microseconds(200), on: loop)
            #expect(short.sleeps < 400)
            let long = try await waits(15, each: .milliseconds(60), on: loop)
            #expect(long.sleeps >= 10)
            #expect(long.busy < long.passed / 4)
        }
    }
}

/// What this thread has used.
private struct Usage {
    let sleeps: Int
    let seconds: Double

    static var now: Usage {
        var usage = rusage()
        getrusage(1, &usage)  // RUSAGE_THREAD, which Swift's view of glibc does not have
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return Usage(sleeps: usage.ru_nvcsw, seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }
}
