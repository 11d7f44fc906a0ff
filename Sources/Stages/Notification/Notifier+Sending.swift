import EventLog
import FinOps
import Logging
import Notices

extension Notifier {
    /// What a sender does next.
    private enum Next {
        case send(DeliveryPlan)
        case wait(until: Timestamp?)
    }

    /// Delivers what waits for one destination, one message after the other, until its task is cancelled.
    func send(_ destination: String) async throws {
        while !Task.isCancelled {
            switch try await next(destination) {
            case .send(let plan):
                // Detached from cancellation: a message that is on its way arrives, and if nobody notes that it did, it is
                // sent again. Whoever stops this program waits for it, within the limits of the delivery.
                try await Task { try await self.carryOut(plan) }.value
            case .wait(let until): await rest(destination, until: until)
            }
        }
    }

    private func rest(_ destination: String, until moment: Timestamp?) async {
        guard let bell = bells[destination] else { return }
        guard let moment else { return await bell.wait() }
        let sleep = surroundings.sleep
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await sleep(moment) } catch { return }  // Somebody else rang, or all is over.
                bell.ring()
            }
            await bell.wait()
            group.cancelAll()
        }
    }

    /// Writes down what has been decided until there is something to do or to wait for.
    private func next(_ destination: String) async throws -> Next {
        await takeTurn()
        defer { endTurn() }
        if let plan = prepared.removeValue(forKey: destination) { return .send(plan) }
        while let outbox = memory.outboxes[destination] {
            switch outbox.next(at: surroundings.now()) {
            case .wait(let until): return .wait(until: until)
            case .send(let plan):
                guard try await record(plan.started, destination) else { continue }
                underWay.insert(destination)
                return .send(plan)
            case .drop(let dropped):
                if try await record(.notificationDropped(dropped), destination) { report() }
            case .abandon(let letter):
                guard try await record(.notificationAbandoned(letter), destination) else { continue }
                surroundings.logger.error(
                    "message given up",
                    metadata: [
                        "destination": "\(destination)", "notification": "\(letter.notification)",
                        "reason": "\(letter.reason)",
                    ])
                report()
            }
        }
        return .wait(until: nil)
    }

    /// - Returns: false if somebody else wrote first, so that it has to be decided again.
    private func record(_ event: FinOpsEvent, _ destination: String) async throws -> Bool {
        let append = append([event], to: .outbox(destination))
        do { try await writer.append([append]) } catch StoreError.refused(.conflict) {
            try await refresh(destination)
            return false
        }
        memory.evolve(destination, append.events.map { (event, $0.occurred) })
        return true
    }

    private func carryOut(_ plan: DeliveryPlan) async throws {
        let began = ContinuousClock.now
        let outcome = await attempt(plan)
        let milliseconds = Int64((ContinuousClock.now - began) / .milliseconds(1))
        try await conclude(plan, outcome, milliseconds: milliseconds)
    }

    private func attempt(_ plan: DeliveryPlan) async -> DeliveryOutcome {
        let facts: [Notice.Fact]
        do { facts = try await self.facts(of: plan) } catch {
            return .failed(
                DeliveryFailure(
                    code: "unavailable", message: "what is to be told cannot be read: \(error)", isRetriable: true))
        }
        let notice = Notice(
            id: plan.notification, destination: plan.destination, facts: facts,
            unlisted: max(0, plan.told.count - Notice.mostFacts), heldBack: plan.heldBack,
            mayRepeat: plan.isUncertain, at: surroundings.now())
        do throws(DeliveryRefusal) {
            return await (try await deliverer(for: plan.destination)).deliver(notice)
        } catch {
            return .failed(error.failure)
        }
    }

    private func deliverer(for destination: String) async throws(DeliveryRefusal) -> any NoticeDelivering {
        guard let channel = memory.outboxes[destination]?.target else {
            throw DeliveryRefusal(
                DeliveryFailure(code: "misconfigured", message: "the channel was removed", isRetriable: true))
        }
        if let door = doors[destination], door.channel == channel { return door.deliverer }
        let deliverer = try await surroundings.open(destination, channel)
        doors[destination] = (channel, deliverer)
        return deliverer
    }

    /// What the log says about the items, the most urgent first, as many as a message lists.
    private func facts(of plan: DeliveryPlan) async throws -> [Notice.Fact] {
        var facts: [Notice.Fact] = []
        let ordered = plan.told.filter(\.isUrgent) + plan.told.filter { !$0.isUrgent }
        for item in ordered.prefix(Notice.mostFacts) {
            guard item.cause > .start else {
                facts.append(Notice.Fact(kind: item.kind, event: nil, position: .start, recorded: item.queued))
                continue
            }
            let page = try await reader.read(after: Position(item.cause.value - 1), limit: 1, types: nil)
            // What was queued was read before: only another program's log can lack it.
            guard let recorded = page.events.first, let event = try EventCatalogue.decode(recorded.event) else {
                continue
            }
            facts.append(
                Notice.Fact(kind: item.kind, event: event, position: recorded.position, recorded: recorded.recorded))
        }
        return facts
    }

    /// Writes down what became of it, however long the log is away; the message itself is not sent again for that.
    private func conclude(_ plan: DeliveryPlan, _ outcome: DeliveryOutcome, milliseconds: Int64) async throws {
        await takeTurn()
        defer { endTurn() }
        let event: FinOpsEvent
        switch outcome {
        case .delivered(let answer):
            event = plan.delivered(answer: answer, milliseconds: milliseconds)
            delivered[plan.destination, default: 0] += 1
        case .failed(let failure):
            event = plan.failed(failure, at: surroundings.now())
            failed[plan.destination, default: 0] += 1
            // What is tried again is tried by the same deliverer: it knows which of several recipients have it.
            if !failure.isRetriable { doors[plan.destination] = nil }
            surroundings.logger.warning(
                "message not delivered",
                metadata: [
                    "destination": "\(plan.destination)", "attempt": "\(plan.attempt)", "code": "\(failure.code)",
                    "message": "\(failure.message)",
                ])
        }
        while try await !record(event, plan.destination) {}
        underWay.remove(plan.destination)
        report()
    }
}
