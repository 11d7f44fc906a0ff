import EventLog
import FinOps
import Foundation
import Messaging
import Providers
package import Runtime
import Secret
import Storage
import Transfer
package import Vault

/// One administration command at work: who acts and when, and a way to decide on a stream that notices anybody who was
/// quicker.
actor AdministrationSession {
    nonisolated let store: any EventStore
    /// Opaque id of the person for whom this runs.
    nonisolated let actor: String
    nonisolated let now: Timestamp
    nonisolated let calendar: BusinessCalendar
    private var session: ProducerSession?
    private var sequence: UInt64 = 0

    private init(store: any EventStore, actor: String, now: Timestamp, calendar: BusinessCalendar) {
        self.store = store
        self.actor = actor
        self.now = now
        self.calendar = calendar
    }

    /// Runs `body` with the log of the directory, whether `finops up` runs or not.
    /// - Parameter acting: as whom; the person that the user of this machine is, unless it names another one.
    /// - Throws: `CommandFailure` if the directory was never initialised, and what `body` throws.
    static func run<Answer: Sendable>(
        _ options: GlobalOptions, as acting: ActingOptions? = nil,
        _ body: (AdministrationSession) async throws -> Answer
    ) async throws -> Answer {
        let directory = try options.initialisedDirectory()
        let calendar = try BusinessCalendar.of(directory)
        let now = try PipelineClock.load(from: directory).now()
        let vault = try SecretStore.local(of: directory)
        let person =
            if let named = try await acting?.person(in: vault) { named } else {
                try await Person.acting(in: vault, at: now)
            }
        return try await LogSession.withLog(directory, connector: .remote) { store in
            try await body(AdministrationSession(store: store, actor: person.id, now: now, calendar: calendar))
        }
    }

    /// The first instant of the running business day, in Unix seconds.
    nonisolated var startOfToday: Int64 { calendar.start(of: calendar.day(of: now)).seconds }

    /// The first instant of a day that was given, in Unix seconds; nil for "from the beginning".
    nonisolated func instant(of start: StartDay) -> Int64? {
        switch start {
        case .beginning: nil
        case .day(let day): calendar.start(of: day).seconds
        }
    }

    /// Decides on a stream as it stands, and appends what was decided.
    /// - Returns: what was appended; none if the command changes nothing.
    /// - Throws: the decider's rejection; `StoreError`.
    nonisolated func decide<D: Decider & SendableMetatype>(
        _ decider: D.Type, on stream: StreamName, _ command: D.Command
    ) async throws -> [FinOpsEvent] where D.Event == FinOpsEvent, D.Command: Sendable {
        try await undisturbed {
            let (state, version) = try await store.fold(stream, with: decider)
            let events = try D.decide(command, state)
            if !events.isEmpty {
                try await append([StreamAppend(stream, expected: .exactly(version), named(events))])
            }
            return events
        }
    }

    /// The same for a decider to whom it matters who did what.
    nonisolated func decide<D: Decider & SendableMetatype>(
        _ decider: D.Type, on stream: StreamName, _ command: D.Command
    ) async throws -> [FinOpsEvent] where D.Event == ActedEvent, D.Command: Sendable {
        try await undisturbed {
            let (state, version) = try await store.fold(stream, with: decider)
            let events = try D.decide(command, state).map(\.event)
            if !events.isEmpty {
                try await append([StreamAppend(stream, expected: .exactly(version), named(events))])
            }
            return events
        }
    }

    private static let attempts = 5

    /// Somebody else may write to a stream between reading and appending; then `attempt` reads and decides again.
    nonisolated func undisturbed<Outcome>(_ attempt: () async throws -> Outcome) async throws -> Outcome {
        for _ in 1..<Self.attempts {
            do { return try await attempt() } catch let error as StoreError {
                guard error.isConflict else { throw error }
            }
        }
        return try await attempt()
    }

    /// Appends as a producer of this command's own.
    /// - Throws: `StoreError`.
    func append(_ streams: [StreamAppend]) async throws(StoreError) {
        if session == nil { session = try await store.openSession(ProducerName("finops-\(UUID())")) }
        guard let session else { return }
        sequence += 1
        _ = try await store.append(AppendRequest(session: session, sequence: sequence, streams))
    }

    /// Events as the log takes them, with this command's actor and time.
    nonisolated func named(_ events: [FinOpsEvent]) -> [NewEvent] {
        var random = SystemRandomNumberGenerator()
        var named: [NewEvent] = []
        for event in events {
            named.append(event.newEvent(id: .v7(at: now, using: &random), occurred: now, actor: actor))
        }
        return named
    }
}

extension BusinessCalendar {
    /// The calendar of a directory's business zone.
    /// - Throws: what reading the configuration throws; `CommandFailure` for a zone without rules on this machine.
    static func of(_ directory: StateDirectory) throws -> BusinessCalendar {
        let zone = try Configuration.load(directory).zone
        guard let calendar = BusinessCalendar(zone) else {
            throw CommandFailure(
                .failure, "this machine has no rules for the time zone \(zone)", hint: "install the package tzdata")
        }
        return calendar
    }
}

extension SecretStore {
    /// The vault of a directory, under all its keys.
    /// - Throws: `VaultError` where there is no local key to begin with.
    static func local(of directory: StateDirectory) throws(VaultError) -> SecretStore {
        hideMemory()
        let keys = VaultKeys(of: directory)
        _ = try keys.local.current()
        return SecretStore(directory: directory.vault, keys: keys)
    }
}

extension VaultKeys {
    /// The keys of a directory.
    init(of directory: StateDirectory) {
        self.init(vault: directory.vault, masterKey: directory.masterKey, transfer: .keyService)
    }
}

extension TransferSettings {
    /// How a key service is reached.
    static var keyService: TransferSettings { .keyService(ProcessInfo.processInfo.environment) }
}

extension VaultError: ExitStatusProviding {
    /// A key service may answer later, or refuse our credentials.
    package var exitStatus: ExitStatus {
        switch code {
        case .unavailable: .tryAgain
        case .refused: .notAuthorised
        default: .failure
        }
    }
}

extension Person {
    /// The person as whom the invoking user of this machine acts.
    /// - Throws: `VaultError`.
    static func acting(in store: SecretStore, at now: Timestamp) async throws(VaultError) -> Person {
        let user = getuid()
        let name = getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? "user \(user)"
        return try await acting(user: user, name: name, in: store, at: now.seconds)
    }
}

extension EventReader where Self == SQLiteEventReader {
    /// The log's file of a directory, read without its server.
    static func local(of directory: StateDirectory) -> SQLiteEventReader {
        SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
    }
}
