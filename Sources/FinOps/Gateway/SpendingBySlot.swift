import EventLog

/// What calls have cost by slot, project and gateway: enough to sum any window in any zone, whoever the project belongs to.
/// A slot is a quarter of an hour, because there are zones whose days begin at half past an hour of UTC, or at a quarter to.
struct SpendingBySlot: Sendable {
    private static let slotSeconds: Int64 = 900

    /// Unix seconds of the slot's beginning → project → gateway → nano-units.
    private(set) var slots: [Int64: [String: [String: Int64]]] = [:]

    static func slot(of instant: Timestamp) -> Int64 {
        let seconds = instant.seconds
        return seconds - ((seconds % slotSeconds) + slotSeconds) % slotSeconds
    }

    mutating func add(_ charge: Charge, by gateway: String) {
        slots[charge.slot, default: [:]][charge.project, default: [:]][gateway, default: 0] &+= charge.nanos
    }

    /// By gateway, of the slots that begin in the window.
    /// - Parameter belongs: whether a project counted in the scope in a slot.
    func sums(in window: CostWindow, where belongs: (_ project: String, _ slot: Int64) -> Bool) -> [String: Int128] {
        var sums: [String: Int128] = [:]
        for (slot, projects) in slots where window.contains(slot) {
            for (project, gateways) in projects where belongs(project, slot) {
                for (gateway, nanos) in gateways { sums[gateway, default: 0] += Int128(nanos) }
            }
        }
        return sums
    }

    mutating func forget(before slot: Int64) { slots = slots.filter { $0.key >= slot } }
}
