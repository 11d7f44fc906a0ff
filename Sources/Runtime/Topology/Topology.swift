package import EventLog

/// A pipeline as its file declares it: which programs run, what they own, bind, consume and produce.
package struct Topology: Hashable, Sendable {
    /// When a process counts as ready: when it says so (sd_notify), or as soon as it has been started.
    package enum Readiness: String, Sendable { case notify, started }

    /// One program and how it is run.
    package struct Process: Hashable, Sendable {
        package var name: String
        /// The program, beside the running one or with its path, and its arguments. `{dir}` stands for the state
        /// directory; where it is not mentioned, `--dir` is added, and `--lifeline` always.
        package var command: [String]
        package var environment: [String: String] = [:]
        /// Processes that must have been ready once before this one is started.
        package var after: [String] = []
        /// Names of the endpoints it binds.
        package var binds: [String] = []
        /// Event types it reads; `*` for all.
        package var consumes: [String] = []
        package var produces: [String] = []
        package var schedule: [String: String] = [:]
        package var readiness = Readiness.notify
        package var line: Int?

        package init(name: String, command: [String]) {
            self.name = name
            self.command = command
        }
    }

    /// A database, and the one process that writes it.
    package struct Store: Hashable, Sendable {
        package var name: String
        package var owner: String
        package var line: Int?
    }

    /// Where a program listens for others.
    package struct Endpoint: Hashable, Sendable {
        package var name: String
        /// `ipc` for a socket in the state directory, or a `tcp://` address.
        package var address: String
        /// The public key of the log at that address, where it runs on another machine.
        package var serverKey: String?
        package var line: Int?

        var isNetwork: Bool { address.hasPrefix("tcp://") }
    }

    /// Where a demo's or test's time begins and how fast it runs.
    package struct Clock: Hashable, Sendable {
        package var start: Timestamp
        package var rate: Double
    }

    package var file: String
    package var name = ""
    /// Only a demo or a test may have a clock of its own.
    package var isDemo = false
    package var clock: Clock?
    package var zone: String?
    package var endpoints: [Endpoint] = []
    package var stores: [Store] = []
    package var processes: [Process] = []
    /// Event types that come from commands of people, not from a process of the pipeline.
    package var outside: [String] = []
    /// Settings of `config.yaml` that this pipeline gives its processes where the configuration is silent.
    package var policies: [String: String] = [:]

    package init(file: String) { self.file = file }
}

extension Topology {
    /// The processes in levels: each after everything it waits for. A cycle's members are in no level.
    package var levels: [[Process]] {
        var remaining = processes
        var started: Set<String> = []
        var levels: [[Process]] = []
        while true {
            let level = remaining.filter { $0.after.allSatisfy(started.contains) }
            if level.isEmpty { return levels }
            levels.append(level)
            started.formUnion(level.map(\.name))
            remaining.removeAll { started.contains($0.name) }
        }
    }
}

extension Topology {
    /// The two endpoints of a log.
    static let logEndpoints = ["log-requests", "log-events"]

    /// A log on another machine, where the endpoints name its key.
    var logElsewhere: (requests: String, events: String, serverKey: String)? {
        let found = Self.logEndpoints.map { name in endpoints.first { $0.name == name && $0.serverKey != nil } }
        guard let requests = found[0], let events = found[1], let key = requests.serverKey else { return nil }
        return (requests.address, events.address, key)
    }

    /// What tells a process at which of its endpoints to listen to the network, beside the directory's sockets.
    func listening(of process: Process) -> [String] {
        endpoints.filter { $0.isNetwork && process.binds.contains($0.name) }.flatMap { endpoint in
            ["--listen-\(endpoint.name.replacing("log-", with: ""))", endpoint.address]
        }
    }
}
