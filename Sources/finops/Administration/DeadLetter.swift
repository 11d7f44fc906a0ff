import EventLog
import FinOps
import JSON
import Runtime

/// Something that waits for an answer: an event that a program failed on, or a message that was given up.
struct DeadLetter: Sendable {
    enum Matter: Sendable {
        case event(WireProcessingFailed)
        case message(WireNotificationAbandoned)
    }

    let matter: Matter
    let stream: StreamName
    let state: DeadLetterBox.Letter.State
    /// What was said when it was retried or skipped.
    let reason: String
    /// Since when it has been put aside, without an answer in between.
    let since: Timestamp

    /// How commands name it: `attributor/4711`, `slack/0f7c…`.
    var id: String {
        switch matter {
        case .event(let failure): "\(failure.stage)/\(failure.position)"
        case .message(let abandoned): "\(abandoned.destination)/\(abandoned.notification)"
        }
    }
}

extension EventReader {
    /// All that was ever put aside, with what became of it; programs by name, then destinations.
    /// - Throws: `StoreError`; `UndecodableEvent`.
    func deadLetters() async throws -> [DeadLetter] {
        var letters: [DeadLetter] = []
        for found in try await allStreams(prefix: "failures-") {
            let (box, times) = try await put(aside: found.stream, DeadLetterBox.self) { event in
                if case .processingFailed(let failure) = event { failure.position } else { nil }
            }
            letters += box.sorted { $0.key < $1.key }.map { position, letter in
                DeadLetter(
                    matter: .event(letter.failure), stream: found.stream, state: letter.state, reason: letter.reason,
                    since: times[position] ?? Timestamp(seconds: 0))
            }
        }
        for found in try await allStreams(prefix: "outbox-") {
            let (box, times) = try await put(
                aside: found.stream, AbandonedNotifications.self, types: AbandonedNotifications.types
            ) { event in
                if case .notificationAbandoned(let abandoned) = event { abandoned.notification } else { nil }
            }
            let messages = box.map { notification, letter in
                DeadLetter(
                    matter: .message(letter.abandoned), stream: found.stream, state: letter.state,
                    reason: letter.reason, since: times[notification] ?? Timestamp(seconds: 0))
            }
            letters += messages.sorted { ($0.since, $0.id) < ($1.since, $1.id) }
        }
        return letters
    }

    /// Folds a stream, and notes when each of its letters was put aside last.
    /// - Parameters:
    ///   - types: all that count; nil for every type.
    ///   - key: of an event that puts something aside.
    private func put<D: Decider, Key: Hashable>(
        aside stream: StreamName, _ decider: D.Type, types: Set<EventType>? = nil, key: (FinOpsEvent) -> Key?
    ) async throws -> (state: D.State, times: [Key: Timestamp]) where D.Event == FinOpsEvent {
        var state = D.initialState
        var times: [Key: Timestamp] = [:]
        for recorded in try await readAll(stream: stream) where types?.contains(recorded.type) ?? true {
            guard let event = try EventCatalogue.decode(recorded.event) else { continue }
            D.evolve(&state, event)
            if let key = key(event) { times[key] = recorded.recorded }
        }
        return (state, times)
    }

    /// The letter that a person means.
    /// - Parameter id: whole, or as much of its beginning as tells it from the others.
    /// - Throws: `CommandFailure` if none or several begin so; what reading throws.
    func deadLetter(_ id: String) async throws -> DeadLetter {
        let letters = try await deadLetters()
        if let exact = letters.first(where: { $0.id == id }) { return exact }
        let similar = letters.filter { $0.id.hasPrefix(id) }
        // What has its answer is in the way of nobody.
        let open = similar.filter { $0.state == .parked }
        let candidates = open.isEmpty ? similar : open
        guard let found = candidates.first else {
            throw CommandFailure(
                .failure, "nothing that was put aside is called \(id): `finops dead-letters list` shows what was")
        }
        guard candidates.count == 1 else {
            let names = candidates.prefix(5).map(\.id).joined(separator: ", ")
            throw CommandFailure(.failure, "\(candidates.count) begin with \(id) (\(names)): give more of the id")
        }
        return found
    }
}
