import EventLog

/// One subscriber: performs what the machine decides. When it is dropped, its listener ends.
actor SubscriptionPuller {
    private static let pause = Duration.milliseconds(100)

    private var machine: SubscriptionMachine
    private let inbox: SubscriptionInbox
    private let reader: any EventReader
    private let batchEvents: Int
    private let onIncident: IncidentHandler

    init(
        _ machine: SubscriptionMachine, _ inbox: SubscriptionInbox, _ reader: any EventReader, batchEvents: Int,
        _ onIncident: @escaping IncidentHandler
    ) {
        self.machine = machine
        self.inbox = inbox
        self.reader = reader
        self.batchEvents = batchEvents
        self.onIncident = onIncident
    }

    deinit { inbox.close() }

    /// - Returns: nil when the subscriber's task is cancelled.
    func next() async throws -> SubscriptionBatch? {
        while !Task.isCancelled {
            let step = machine.step(head: inbox.head, next: inbox.take)
            for error in machine.takeMalformed() { onIncident(.malformedFrame(error)) }
            switch step {
            case .deliver(let batch): return batch
            case .read(let position):
                if let page = try await read(after: position), let batch = try machine.received(page) {
                    return batch
                }
                guard machine.isBehind else { continue }
                // The log is away, or the wire was quicker than the reader's view of it.
                do { try await Task.sleep(for: Self.pause) } catch { return nil }
            case .wait:
                if let ending = inbox.ending { throw ending }
                await inbox.waitForNews()
            }
        }
        return nil
    }

    /// - Returns: nil when it may be tried again.
    private func read(after position: Position) async throws(StoreError) -> ReadPage? {
        do throws(StoreError) {
            return try await reader.read(after: position, limit: batchEvents, types: machine.types)
        } catch {
            let failure: StoreFailure
            switch error {
            case .failed(let cause): failure = cause
            case .refused(let refusal):
                failure = StoreFailure(code: "refused", message: "\(refusal)", isRetriable: refusal.isRetriable)
            }
            guard failure.isRetriable else { throw error }
            onIncident(.retrying(failure))
            return nil
        }
    }
}
