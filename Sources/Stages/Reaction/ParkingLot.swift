import EventLog
import FinOps

/// Events that were put aside after three failures, by stream: later events of such a stream wait behind them. A fold of the
/// stream `failures-<stage>`.
struct ParkingLot: Equatable, Sendable {
    let stage: String
    private(set) var parked: [StreamName: [Position]] = [:]
    /// Put aside for good.
    private var skipped: Set<Position> = []

    init(stage: String) { self.stage = stage }

    mutating func evolve(_ event: FinOpsEvent) {
        switch event {
        case .processingFailed(let event) where event.stage == stage:
            let position = Position(event.position)
            let stream = StreamName(event.stream)
            if parked[stream]?.contains(position) != true { parked[stream, default: []].append(position) }
        case .processingRetried(let event) where event.stage == stage:
            free(Position(event.position))
            skipped.remove(Position(event.position))
        case .processingSkipped(let event) where event.stage == stage:
            free(Position(event.position))
            skipped.insert(Position(event.position))
        default: break
        }
    }

    private mutating func free(_ position: Position) {
        guard let stream = stream(of: position) else { return }
        parked[stream]?.removeAll { $0 == position }
        if parked[stream]?.isEmpty == true { parked[stream] = nil }
    }

    var count: Int { parked.values.reduce(0) { $0 + $1.count } }

    /// What was put aside has no part in any fold.
    func excludes(_ position: Position) -> Bool { skipped.contains(position) || stream(of: position) != nil }

    /// Whether an event waits: it was put aside, or one before it in its stream was.
    func holds(_ event: RecordedEvent) -> Bool {
        skipped.contains(event.position) || parked[event.stream]?.contains { $0 <= event.position } == true
    }

    var isEmpty: Bool { parked.isEmpty && skipped.isEmpty }

    func stream(of position: Position) -> StreamName? { parked.first { $0.value.contains(position) }?.key }

    func isParked(_ stream: StreamName) -> Bool { parked[stream] != nil }

    /// A day is settled as a whole, so whichever of its streams is parked holds it.
    func isParked(_ day: AccountDay) -> Bool {
        !parked.isEmpty
            && (isParked(.bill(account: day.account, day: day.day))
                || isParked(.usage(account: day.account, day: day.day)))
    }
}
