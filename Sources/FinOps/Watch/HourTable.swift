import EventLog

/// A change of what counts: the cost of a series in an hour grew or shrank.
struct CostChange: Hashable, Sendable {
    /// Its number in the `SeriesTable`.
    let series: Int
    /// Unix seconds of the hour's beginning, within the page's day.
    let hour: Int64
    let nanos: Int64

    var reversed: CostChange { CostChange(series: series, hour: hour, nanos: 0 &- nanos) }
}

/// Amounts per series and hour of one day. They wrap at 2⁶³ nano-units in an hour, since nothing that a provider states may
/// end the program.
struct HourTable: Sendable {
    static let hours = 24
    private let dayStart: Int64
    /// By the number of the series, its place and one more; 0 for one that is not here.
    private var places: [Int32] = []
    /// The numbers of those that are here.
    private(set) var series: [Int] = []
    private var nanos: [Int64] = []
    /// A bit for each hour, by place.
    private var marks: [UInt32] = []

    init(day: Day) { dayStart = day.utcStart.seconds }

    var isEmpty: Bool { series.isEmpty }

    /// What lies outside the day (no writer of ours makes such an hour) counts at the day's nearest hour, so that sums stay
    /// whole.
    func hour(of second: Int64) -> Int { Int((min(max(second, dayStart), dayStart + 86_399) - dayStart) / 3_600) }

    func second(of hour: Int) -> Int64 { dayStart + Int64(hour) * 3_600 }

    /// - Returns: the change, at the hour it counts.
    @discardableResult
    mutating func add(_ amount: Int64, series number: Int, at second: Int64) -> CostChange {
        let hour = hour(of: second)
        let place = place(of: number)
        nanos[place * Self.hours + hour] &+= amount
        return CostChange(series: number, hour: self.second(of: hour), nanos: amount)
    }

    /// The same, and whether there is anything behind it.
    mutating func add(_ amount: Int64, series number: Int, at second: Int64, isMarked: Bool) -> CostChange {
        let hour = hour(of: second)
        let place = place(of: number)
        nanos[place * Self.hours + hour] &+= amount
        if isMarked { marks[place] |= 1 << UInt32(hour) } else { marks[place] &= ~(1 << UInt32(hour)) }
        return CostChange(series: number, hour: self.second(of: hour), nanos: amount)
    }

    private mutating func place(of number: Int) -> Int {
        if let known = known(number) { return known }
        if number >= places.count { places += repeatElement(0, count: number + 1 - places.count) }
        let place = series.count
        series.append(number)
        places[number] = Int32(series.count)
        nanos.append(contentsOf: repeatElement(0, count: Self.hours))
        marks.append(0)
        return place
    }

    private func known(_ number: Int) -> Int? {
        guard number < places.count, places[number] > 0 else { return nil }
        return Int(places[number]) - 1
    }

    func amount(of number: Int, hour: Int) -> Int64 { known(number).map { nanos[$0 * Self.hours + hour] } ?? 0 }

    func isMarked(_ number: Int, hour: Int) -> Bool {
        known(number).map { marks[$0] & (1 << UInt32(hour)) != 0 } ?? false
    }

    func contains(_ number: Int) -> Bool { known(number) != nil }

    /// By the hour of the day.
    /// - Precondition: it is here.
    func amounts(of number: Int) -> ArraySlice<Int64> {
        guard let place = known(number) else { preconditionFailure("it was asked for first") }
        return nanos[place * Self.hours..<(place + 1) * Self.hours]
    }
}
