import EventLog

/// What calls have cost by hour, project and gateway: enough to sum any window in any zone, whoever the project belongs to.
struct HourlySpending: Sendable {
    /// Unix seconds of the hour → project → gateway → nano-units.
    private(set) var hours: [Int64: [String: [String: Int64]]] = [:]

    static func hour(of instant: Timestamp) -> Int64 {
        let seconds = instant.seconds
        return seconds - ((seconds % 3_600) + 3_600) % 3_600
    }

    mutating func add(_ charge: Charge, by gateway: String) {
        hours[charge.hour, default: [:]][charge.project, default: [:]][gateway, default: 0] &+= charge.nanos
    }

    /// By gateway, of the hours that begin in the window.
    /// - Parameter belongs: whether a project counted in the scope in an hour.
    func sums(in window: CostWindow, where belongs: (_ project: String, _ hour: Int64) -> Bool) -> [String: Int128] {
        var sums: [String: Int128] = [:]
        for (hour, projects) in hours where window.contains(hour) {
            for (project, gateways) in projects where belongs(project, hour) {
                for (gateway, nanos) in gateways { sums[gateway, default: 0] += Int128(nanos) }
            }
        }
        return sums
    }

    mutating func forget(before hour: Int64) { hours = hours.filter { $0.key >= hour } }
}
