package import EventLog
import SwiftProtobuf

/// How one account's bill of a UTC day is spread, and for which provider projects it is in force. The stream is
/// `allocation-<account>-<day>`.
package enum AllocationDay: Decider {
    /// A bill row within its day.
    package struct Identity: Hashable, Sendable {
        /// nil in any of the three is a value of its own: the provider said null.
        package let projectID: String?
        package let lineItem: String?
        package let apiKeyID: String?

        package init(_ event: WireBillAllocated) {
            projectID = event.hasProjectID ? event.projectID : nil
            lineItem = event.hasLineItem ? event.lineItem : nil
            apiKeyID = event.hasApiKeyID ? event.apiKeyID : nil
        }
    }

    /// How the day's bill is spread, and what of it is in force.
    package struct State: Sendable {
        /// By row, each as it was last stated.
        package var allocations: [Identity: WireBillAllocated] = [:]
        /// Provider projects (nil: rows without one) whose metered cells yield to the bill.
        package var inForce: Set<String?> = []
    }

    /// A day's bill and usage as they stand.
    package struct Command: Sendable {
        package let account: AccountDay
        /// The whole day, withdrawn rows included.
        package let bill: BillDay.State
        /// Of all the day's hours; the rules of spreading do not depend on their order.
        package let cells: [MeteredCell]
        /// Whether the day's bill counts by now (`BillForce`).
        package let isDue: Bool

        package init(account: AccountDay, bill: BillDay.State, cells: [MeteredCell], isDue: Bool) {
            self.account = account
            self.bill = bill
            self.cells = cells
            self.isDue = isDue
        }
    }

    /// Why a bill cannot be spread.
    package enum Rejection: Error, Hashable, Sendable {
        /// A day has two rows of one identity; the provider's buckets are days, so it has none.
        case rowTwice(projectID: String?, lineItem: String?)
    }

    package static var initialState: State { State() }

    package static func evolve(_ state: inout State, _ event: FinOpsEvent) {
        switch event {
        case .billAllocated(let event): state.allocations[Identity(event)] = event
        case .billTookForce(let event): state.inForce.insert(event.hasProjectID ? event.projectID : nil)
        case .billLeftForce(let event): state.inForce.remove(event.hasProjectID ? event.projectID : nil)
        default: break
        }
    }

    /// States every allocation that differs from the one in the stream, and every change of force.
    package static func decide(_ command: Command, _ state: State) throws(Rejection) -> [FinOpsEvent] {
        let spreading = BillSpreading(day: command.account.day, cells: command.cells)
        var events: [FinOpsEvent] = []
        var seen: Set<Identity> = []
        for (_, cell) in command.bill.sorted(by: { $0.key < $1.key }) {
            let allocation = spreading.allocate(cell.row)
            let identity = Identity(allocation)
            guard seen.insert(identity).inserted else {
                throw .rowTwice(projectID: identity.projectID, lineItem: identity.lineItem)
            }
            let known = state.allocations[identity]
            // A row that was withdrawn before it was ever spread needs no statement.
            if known == allocation || known == nil && cell.row.withdrawn { continue }
            events.append(.billAllocated(allocation))
        }
        return events + forceChanges(command, state)
    }

    private static func forceChanges(_ command: Command, _ state: State) -> [FinOpsEvent] {
        let rows = command.bill.values.map(\.row)
        guard let any = rows.first else { return [] }
        let stated = Set(rows.filter { !$0.withdrawn }.map { $0.hasProjectID ? $0.projectID : nil })
        let day = command.account.day.description
        let taken = command.isDue ? stated.subtracting(state.inForce).sorted(by: Self.nullLast) : []
        let left = state.inForce.subtracting(stated).sorted(by: Self.nullLast)
        return taken.map { project in
            .billTookForce(
                .with {
                    $0.provider = any.provider
                    $0.account = any.account
                    $0.day = day
                    if let project { $0.projectID = project }
                })
        }
            + left.map { project in
                .billLeftForce(
                    .with {
                        $0.provider = any.provider
                        $0.account = any.account
                        $0.day = day
                        if let project { $0.projectID = project }
                    })
            }
    }

    private static func nullLast(_ left: String?, _ right: String?) -> Bool {
        guard let left else { return false }
        return right.map { left < $0 } ?? true
    }
}

/// When a day's bill counts: once the UTC day has ended and a grace has passed, in which providers still restate.
package struct BillForce: Hashable, Sendable {
    /// From the day's end.
    package let billedAfterSeconds: Int64

    /// - Parameter billedAfterSeconds: a day of grace unless the configuration says otherwise (`billed_after`).
    package init(billedAfterSeconds: Int64 = 86_400) { self.billedAfterSeconds = billedAfterSeconds }

    /// When the bill of a UTC day begins to count.
    package func due(_ day: Day) -> Timestamp {
        day.advanced(by: 1).utcStart.advanced(bySeconds: billedAfterSeconds)
    }

    /// Whether it counts by now.
    package func isDue(_ day: Day, at now: Timestamp) -> Bool { now >= due(day) }
}
