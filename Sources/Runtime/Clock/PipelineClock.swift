package import EventLog
import FoundationEssentials
import Glibc
import JSON

/// The time of business: schedules, recorded time, freshness. Real, or, in a demo or test pipeline, started at a chosen
/// instant and running at a chosen rate. Time-outs and heartbeats of sockets do not go by it.
package struct PipelineClock: Hashable, Sendable {
    /// A clock that began at `start` when the wall showed `anchor`, and runs `rate` times as fast.
    package struct Scale: Hashable, Sendable {
        /// Business time when the wall showed `anchor`.
        package var start: Timestamp
        /// Business seconds in one second of the wall; above 0.
        package var rate: Double
        /// The wall's time at `start`.
        package var anchor: Timestamp
        /// Where the clock stands still, once its pipeline was stopped.
        package var frozen: Timestamp?

        package init(start: Timestamp, rate: Double, anchor: Timestamp, frozen: Timestamp? = nil) {
            self.start = start
            self.rate = rate
            self.anchor = anchor
            self.frozen = frozen
        }
    }

    /// nil for real time.
    package let scale: Scale?

    package init(scale: Scale?) { self.scale = scale }

    /// The wall clock itself.
    package static let real = PipelineClock(scale: nil)

    /// Business seconds in one second of the wall.
    package var rate: Double { scale?.rate ?? 1 }

    /// Business time.
    package func now() -> Timestamp { at(wall: wallTime()) }

    /// The business time when the wall shows `wall`.
    package func at(wall: Timestamp) -> Timestamp {
        guard let scale else { return wall }
        if let frozen = scale.frozen { return frozen }
        let elapsed = Double(max(0, wall.microseconds - scale.anchor.microseconds)) * scale.rate
        // Years ahead of every calendar: whoever set such a rate gets a clock that stands at the end.
        guard elapsed < 9e17 else { return Timestamp(seconds: 253_402_300_799) }
        return Timestamp(microseconds: scale.start.microseconds + Int64(elapsed))
    }

    /// Returns when business time has reached `instant`; at once if it has passed. It looks again at least once a minute,
    /// because the wall clock may be set while it sleeps.
    /// - Throws: `CancellationError`.
    package func sleep(until instant: Timestamp) async throws {
        while true {
            let remaining = instant.microseconds.subtractingReportingOverflow(now().microseconds)
            guard remaining.partialValue > 0, !remaining.overflow else { return }
            let wait = scale?.frozen == nil ? Double(remaining.partialValue) / rate : .infinity
            try await Task.sleep(for: .microseconds(Int64(min(wait + 1, 60_000_000))))
        }
    }

    /// Sleeps a span of business time, at most 10⁹ seconds.
    /// - Throws: `CancellationError`.
    package func sleep(seconds: Double) async throws {
        try await sleep(until: Timestamp(microseconds: now().microseconds + Int64(min(seconds, 1e9) * 1_000_000)))
    }
}

/// The wall clock of this machine.
package func wallTime() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
}

extension PipelineClock {
    /// The clock of a state directory: the one `finops up` wrote, or real time.
    /// - Throws: `CommandFailure` if the file cannot be read or says nonsense.
    package static func load(from directory: StateDirectory) throws -> PipelineClock {
        guard access(directory.clock, F_OK) == 0 else { return .real }
        let text = try String(contentsOfFile: directory.clock, encoding: .utf8)
        // No JSON or no clock: either way the file is to be written anew.
        guard let document = try? JSONValue.parse(text), let scale = Scale(document) else {
            throw CommandFailure(.failure, "\(directory.clock) is not a clock", hint: "finops up writes it anew")
        }
        return PipelineClock(scale: scale)
    }

    /// Writes the clock for all programs of the directory; real time leaves no file.
    /// - Throws: `SystemError`.
    package func store(in directory: StateDirectory) throws {
        guard let scale else {
            guard unlink(directory.clock) == 0 || errno == ENOENT else {
                throw SystemError("remove \(directory.clock)")
            }
            return
        }
        try writeFileAtomically(directory.clock, scale.document.text + "\n")
    }

    /// The clock standing still where it is now, as a stopped pipeline leaves it.
    package func frozen() -> PipelineClock {
        guard var scale else { return self }
        scale.frozen = now()
        return PipelineClock(scale: scale)
    }

    /// The clock going on from where it stood, at the given rate.
    package func resumed(rate: Double) -> PipelineClock {
        guard scale != nil else { return self }
        return PipelineClock(scale: Scale(start: now(), rate: rate, anchor: wallTime()))
    }
}

extension PipelineClock.Scale {
    fileprivate var document: JSONValue {
        var members: [JSONValue.Member] = [
            .init("start_us", .integer(start.microseconds)), .init("rate", .number("\(rate)")),
            .init("anchor_us", .integer(anchor.microseconds)),
        ]
        if let frozen { members.append(.init("frozen_us", .integer(frozen.microseconds))) }
        return .object(members)
    }

    fileprivate init?(_ document: JSONValue) {
        guard let start = document["start_us"]?.integer, let anchor = document["anchor_us"]?.integer,
            let rate = document["rate"]?.numberText.flatMap(Double.init), rate > 0, rate.isFinite
        else { return nil }
        self.init(
            start: Timestamp(microseconds: start), rate: rate, anchor: Timestamp(microseconds: anchor),
            frozen: document["frozen_us"]?.integer.map(Timestamp.init(microseconds:)))
    }
}
