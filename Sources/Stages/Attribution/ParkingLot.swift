import EventLog
import FinOps

/// Events that were put aside after three failures, by stream: later events of such a stream wait behind them. A fold of the
/// stream `failures-<stage>`.
struct ParkingLot: Equatable, Sendable {
    let stage: String
    private(set) var parked: [StreamName: [Position]] = [:]

    init(stage: String) { self.stage = stage }

    mutating func evolve(_ event: FinOpsEvent) {
        switch event {
        case .processingFailed(let event) where event.stage == stage:
            let position = Position(event.position)
            let stream = StreamName(event.stream)
            if parked[stream]?.contains(position) != true { parked[stream, default: []].append(position) }
        case .processingRetried(let event) where event.stage == stage: free(Position(event.position))
        case .processingSkipped(let event) where event.stage == stage: free(Position(event.position))
        default: break
        }
    }

    private mutating func free(_ position: Position) {
        guard let stream = stream(of: position) else { return }
        parked[stream]?.removeAll { $0 == position }
        if parked[stream]?.isEmpty == true { parked[stream] = nil }
    }

    var count: Int { parked.values.reduce(0) { $0 + $1.count } }

    /// Empties a stream's place: what fails again is parked again.
    mutating func release(_ stream: StreamName) -> [Position] { parked.removeValue(forKey: stream) ?? [] }

    func stream(of position: Position) -> StreamName? { parked.first { $0.value.contains(position) }?.key }

    func isParked(_ stream: StreamName) -> Bool { parked[stream] != nil }
}
