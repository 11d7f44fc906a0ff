import EventLog
import FinOps

extension EventReader {
    /// What is known of alerts and conditions, out of their own streams.
    /// - Parameters:
    ///   - days: whose windows to look at besides those of the last days; nil for all there ever were.
    ///   - scope: the only one whose acknowledgements and snoozes are read; nil for all, and the conditions.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    func alertBoard(at now: Timestamp, days: [Day]?, scope: CostScope? = nil) async throws -> AlertBoard {
        var board = AlertBoard()
        if let days {
            let asked = days.flatMap { day -> [StreamName] in
                [.alerts(.day, firstDay: day), .alerts(.week, firstDay: day.monday)]
            }
            for stream in Set(AlertBoard.streams(around: Day(utc: now)) + asked) {
                try await read(stream, into: &board)
            }
        } else {
            for found in try await allStreams(prefix: "alert-") { try await read(found.stream, into: &board) }
        }
        if let scope {
            try await read(.threshold(scope), into: &board)
            return board
        }
        for found in try await allStreams(prefix: "threshold-") {
            try await read(found.stream, into: &board)
        }
        for found in try await allStreams(prefix: "condition-") { try await read(found.stream, into: &board) }
        return board
    }

    private func read(_ stream: StreamName, into board: inout AlertBoard) async throws {
        for event in try await readAll(stream: stream) { try board.take(event) }
    }
}
