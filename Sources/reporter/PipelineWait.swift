import EventLog
import Glibc
import JSON
import Projections
import Runtime

/// Gives a running pipeline up to five seconds to react to what is in the log and to project it. Without one it waits for
/// nothing: the answer then says how far behind it is.
struct PipelineWait {
    let directory: StateDirectory
    let log: LogView
    /// The stages whose findings belong to the answer, each after those it builds on.
    let reactors: [String]

    private static let limitMicroseconds: Int64 = 5_000_000
    private static let pauseMicroseconds: UInt32 = 10_000

    /// - Returns: the head that the answer is measured against.
    func run() throws -> Position {
        var head = try log.head()
        guard head > .start, consumed("projector") != nil else { return head }
        let deadline = wallTime().microseconds + Self.limitMicroseconds
        for reactor in reactors {
            while let handled = consumed(reactor), handled < head, wallTime().microseconds < deadline { pause() }
            // What it made of it is in the log by now, and belongs to the answer.
            head = try log.head()
        }
        while wallTime().microseconds < deadline {
            guard try !projections(have: head), consumed("projector") != nil else { break }
            pause()
        }
        return head
    }

    private func projections(have head: Position) throws -> Bool {
        do {
            let checkpoint = try ProjectionReader(path: directory.currentProjection).checkpoint
            return checkpoint.position >= head || checkpoint.halt != nil
        } catch let failure as ProjectionFailure where failure.code.hasPrefix("projection-") {
            return false
        }
    }

    /// How far a running stage is; nil if it does not run.
    private func consumed(_ stage: String) -> Position? {
        // A directory whose sockets cannot be named has no running stage that we could ask.
        guard let socket = try? directory.healthSocket(stage: stage),
            let document = HealthClient.readiness(socket: socket)
        else { return nil }
        let positions = document["consumers"]?.array?.compactMap { $0["position"]?.integer } ?? []
        return Position(UInt64(clamping: positions.min() ?? 0))
    }

    /// Between two looks at other processes, which tell how far they are only when asked.
    private func pause() { usleep(Self.pauseMicroseconds) }
}
