package import EventLog
import FoundationEssentials
package import JSON

/// What the supervisor says about its processes, for `finops status`: kept in `run/processes.json` and renewed every few
/// seconds, so that its age tells when a supervisor was killed.
package struct ProcessBoard: Hashable, Sendable {
    /// The word that `finops status` shows.
    package enum State: String, Sendable {
        case waiting, starting, ready, restarting, stopping, stopped
    }

    /// One process as its supervisor knows it.
    package struct Entry: Hashable, Sendable {
        package var name: String
        package var state: State
        package var pid: Int32?
        package var restarts = 0
        package var lastExit: String?
    }

    /// Business time of the last renewal.
    package var asOf: Timestamp
    package var entries: [Entry]

    package init(asOf: Timestamp, entries: [Entry]) {
        self.asOf = asOf
        self.entries = entries
    }

    package subscript(_ name: String) -> Entry? { entries.first { $0.name == name } }

    package var document: JSONValue {
        [
            "as_of_us": .integer(asOf.microseconds),
            "processes": .array(
                entries.map { entry in
                    [
                        "name": .string(entry.name), "state": .string(entry.state.rawValue),
                        "pid": entry.pid.map { .integer($0) } ?? .null, "restarts": .integer(entry.restarts),
                        "last_exit": JSONValue(entry.lastExit),
                    ]
                }),
        ]
    }

    package init?(_ document: JSONValue) {
        guard let time = document["as_of_us"]?.integer, let processes = document["processes"]?.array else { return nil }
        asOf = Timestamp(microseconds: time)
        entries = processes.compactMap { process in
            guard let name = process["name"]?.string, let state = process["state"]?.string.flatMap(State.init) else {
                return nil
            }
            return Entry(
                name: name, state: state, pid: process["pid"]?.integer.map { Int32(truncatingIfNeeded: $0) },
                restarts: Int(process["restarts"]?.integer ?? 0), lastExit: process["last_exit"]?.string)
        }
    }

    /// The board of a directory; nil if there is none, or none that can be read.
    package static func load(from directory: StateDirectory) -> ProcessBoard? {
        do {
            let text = try String(contentsOfFile: directory.processBoard, encoding: .utf8)
            return ProcessBoard(try JSONValue.parse(text))
        } catch { return nil }  // Nothing runs, or its file is being looked at by an older program.
    }
}
