import EventLog
import FoundationEssentials
import Yams

extension Topology {
    /// Reads and proves a pipeline file.
    /// - Parameter knownTypes: the event types that exist; nil if the caller does not know.
    /// - Throws: `DocumentProblems` with every mistake at once, `CommandFailure` if the file cannot be read.
    package static func load(_ path: String, knownTypes: Set<String>? = nil) throws -> Topology {
        let text = try readDocument(path, hint: "finops init writes the default pipeline")
        return try parse(text, file: path, knownTypes: knownTypes)
    }

    /// - Throws: `DocumentProblems` with every mistake at once.
    package static func parse(
        _ text: String, file: String, knownTypes: Set<String>? = nil
    ) throws(DocumentProblems) -> Topology {
        var document = try composeDocument(text, file: file)
        var topology = Topology(file: file)
        if let version = document.text("version"), version.value != "1" {
            document.report("version must be 1, not \"\(version.value)\"", line: version.line)
        }
        topology.name = document.requiredText("name")
        topology.isDemo = document.flag("demo")
        topology.zone = document.text("zone").map(\.value)
        topology.readClock(&document)
        topology.readParts(&document)
        topology.processes = document.mappings("processes").map { entry in
            var entry = entry
            let process = Process(&entry)
            document.adopt(entry.problems)
            return process
        }
        document.refuseUnknownKeys()
        // What the shape gets wrong would make the proof stumble over things that are only misspelt.
        guard document.problems.isEmpty else { throw DocumentProblems(document.problems) }
        let problems = topology.problems(knownTypes: knownTypes)
        guard problems.isEmpty else { throw DocumentProblems(problems) }
        return topology
    }

    private mutating func readClock(_ document: inout DocumentMapping) {
        guard var entry = document.mapping("clock") else { return }
        let start = entry.requiredText("start")
        let rate = entry.requiredText("rate")
        if !isDemo { entry.report("only a pipeline with \"demo: true\" may have a clock", line: entry.line) }
        let instant = Timestamp(rfc3339: start)
        if instant == nil, !start.isEmpty {
            entry.report("clock.start must be a time such as 2026-11-09T00:00:00+09:00", line: entry.line)
        }
        let speed = Double(rate).flatMap { $0 > 0 && $0 <= 1_000_000 ? $0 : nil }
        if speed == nil, !rate.isEmpty {
            entry.report("clock.rate must be a number above 0 and up to 1000000", line: entry.line)
        }
        entry.refuseUnknownKeys()
        document.adopt(entry.problems)
        if let instant, let speed { clock = Clock(start: instant, rate: speed) }
    }

    private mutating func readParts(_ document: inout DocumentMapping) {
        if let entry = document.mapping("endpoints") {
            document.adopt(entry.problems)
            endpoints = entry.members.map { member in
                if let scalar = member.value.scalar {
                    return Endpoint(name: member.key, address: scalar.string, line: member.line)
                }
                var endpoint = DocumentMapping(
                    file: file, name: "endpoints.\(member.key)", node: member.value,
                    known: "ipc, a tcp:// address, or a mapping of address and server_key")
                defer { document.adopt(endpoint.problems) }
                let address = endpoint.requiredText("address")
                let key = endpoint.requiredText("server_key")
                endpoint.refuseUnknownKeys()
                return Endpoint(name: member.key, address: address, serverKey: key, line: member.line)
            }
        }
        if let entry = document.mapping("stores") {
            document.adopt(entry.problems)
            stores = entry.members.map { member in
                var store = DocumentMapping(file: file, name: "stores.\(member.key)", node: member.value)
                defer { document.adopt(store.problems) }
                let owner = store.requiredText("owner")
                store.refuseUnknownKeys()
                return Store(name: member.key, owner: owner, line: member.line)
            }
        }
        if var entry = document.mapping("outside") {
            outside = entry.texts("produces")
            entry.refuseUnknownKeys()
            document.adopt(entry.problems)
        }
        policies = document.dictionary("policies")
    }
}

extension Topology.Process {
    fileprivate init(_ entry: inout DocumentMapping) {
        self.init(name: entry.requiredText("name"), command: entry.texts("command"))
        line = entry.line
        if command.isEmpty { entry.report("\(entry.path("command")) is missing", line: entry.line) }
        environment = entry.dictionary("environment")
        after = entry.texts("after")
        binds = entry.texts("binds")
        consumes = entry.texts("consumes")
        produces = entry.texts("produces")
        schedule = entry.dictionary("schedule")
        readiness = entry.choice("ready", .notify)
        entry.refuseUnknownKeys()
    }
}

extension DocumentMapping {
    fileprivate mutating func choice<Choice: RawRepresentable>(_ key: String, _ fallback: Choice) -> Choice
    where Choice.RawValue == String {
        guard let (value, line) = text(key) else { return fallback }
        if let choice = Choice(rawValue: value) { return choice }
        report("\(path(key)) cannot be \"\(value)\"", line: line)
        return fallback
    }
}
