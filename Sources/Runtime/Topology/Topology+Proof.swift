extension Topology {
    /// What a pipeline file says that cannot be: owners, endpoints, event types, order, schedules.
    func problems(knownTypes: Set<String>?) -> [DocumentProblem] {
        processProblems() + storeProblems() + endpointProblems() + typeProblems(knownTypes) + settingProblems()
    }

    private func problem(_ line: Int?, _ message: String) -> DocumentProblem {
        DocumentProblem(file: file, line: line, message)
    }

    private var names: [String] { processes.map(\.name) }

    private func unknownProcess(_ name: String) -> String {
        let near = nearest(to: name, in: names).map { "; did you mean \"\($0)\"?" } ?? ""
        return "no process is called \"\(name)\"\(near)"
    }

    private func processProblems() -> [DocumentProblem] {
        var problems: [DocumentProblem] = []
        if processes.isEmpty { problems.append(problem(nil, "a pipeline needs at least one process")) }
        var seen: Set<String> = []
        for process in processes {
            if !seen.insert(process.name).inserted {
                problems.append(problem(process.line, "two processes are called \"\(process.name)\""))
            }
            if !isProcessName(process.name) {
                problems.append(
                    problem(process.line, "\"\(process.name)\" must be lower-case letters, digits and hyphens"))
            }
            problems += process.after.filter { !names.contains($0) }.map {
                problem(process.line, "\(process.name) waits for it, but \(unknownProcess($0))")
            }
        }
        let ordered = Set(levels.joined().map(\.name))
        let stuck = processes.filter { process in
            !ordered.contains(process.name) && process.after.allSatisfy(names.contains)
        }
        if !stuck.isEmpty {
            problems.append(
                problem(stuck[0].line, "\(stuck.map(\.name).joined(separator: ", ")) wait for each other"))
        }
        return problems
    }

    private func storeProblems() -> [DocumentProblem] {
        stores.flatMap { store in
            guard let owner = processes.first(where: { $0.name == store.owner }) else {
                return [problem(store.line, "the store \(store.name) has no owner: \(unknownProcess(store.owner))")]
            }
            // The same command twice writes the same database twice.
            let rivals = processes.filter { $0.name != owner.name && $0.command.prefix(2) == owner.command.prefix(2) }
            return rivals.map { rival in
                problem(rival.line, "the store \(store.name) has two owners: \(owner.name) and \(rival.name)")
            }
        }
    }

    private func endpointProblems() -> [DocumentProblem] {
        var problems: [DocumentProblem] = []
        for endpoint in endpoints {
            let binders = processes.filter { $0.binds.contains(endpoint.name) }.map(\.name)
            if endpoint.serverKey != nil {
                problems += elsewhereProblems(endpoint, binders)
            } else if binders.isEmpty {
                problems.append(problem(endpoint.line, "nobody binds the endpoint \(endpoint.name)"))
            }
            if binders.count > 1 {
                problems.append(
                    problem(endpoint.line, "\(binders.joined(separator: " and ")) bind the endpoint \(endpoint.name)"))
            }
            if endpoint.address != "ipc", !endpoint.isNetwork {
                problems.append(
                    problem(endpoint.line, "the endpoint \(endpoint.name) must be ipc or a tcp:// address"))
            }
        }
        problems += networkProblems()
        for process in processes {
            problems += process.binds.filter { bound in !endpoints.contains { $0.name == bound } }.map {
                problem(process.line, "\(process.name) binds the endpoint \($0), which is not declared")
            }
        }
        return problems
    }

    private func elsewhereProblems(_ endpoint: Endpoint, _ binders: [String]) -> [DocumentProblem] {
        var problems: [DocumentProblem] = []
        if !endpoint.isNetwork {
            problems.append(
                problem(endpoint.line, "the endpoint \(endpoint.name) has a server_key, but no tcp:// address"))
        }
        problems += binders.map {
            problem(endpoint.line, "\($0) binds the endpoint \(endpoint.name), whose server_key says it is elsewhere")
        }
        return problems
    }

    /// The network is open for all of a log, or for none of it; elsewhere both are of one server.
    private func networkProblems() -> [DocumentProblem] {
        let network = endpoints.filter(\.isNetwork)
        var problems = network.filter { !Self.logEndpoints.contains($0.name) }.map {
            problem(
                $0.line,
                "only \(Self.logEndpoints.joined(separator: " and ")) can have a tcp:// address, not \($0.name)")
        }
        let log = network.filter { Self.logEndpoints.contains($0.name) }
        if log.count == 1 || Set(log.map(\.serverKey)).count > 1 {
            problems.append(
                problem(
                    log.first?.line,
                    "\(Self.logEndpoints.joined(separator: " and ")) belong together: both tcp://, with the same server_key"
                ))
        }
        return problems
    }

    private func typeProblems(_ knownTypes: Set<String>?) -> [DocumentProblem] {
        var problems: [DocumentProblem] = []
        let produced = Set(processes.flatMap(\.produces) + outside)
        for process in processes {
            problems += process.consumes.filter { $0 != "*" && !produced.contains($0) }.map {
                problem(process.line, "\(process.name) consumes \($0), which nothing produces")
            }
        }
        guard let knownTypes else { return problems }
        let declared = processes.map { ($0.line, $0.consumes + $0.produces) } + [(nil, outside)]
        for (line, types) in declared {
            problems += types.filter { $0 != "*" && !knownTypes.contains($0) }.map { type in
                let near = nearest(to: type, in: knownTypes).map { "; did you mean \($0)?" } ?? ""
                return problem(line, "no event type is called \(type)\(near)")
            }
        }
        return problems
    }

    private func settingProblems() -> [DocumentProblem] {
        var problems: [DocumentProblem] = []
        if let zone, !isTimeZone(zone) { problems.append(problem(nil, "\"\(zone)\" is not a time zone")) }
        for process in processes {
            for (key, value) in process.schedule {
                guard let setting = Topology.scheduleSettings[key].flatMap(Setting.named) else {
                    problems.append(problem(process.line, "a schedule is daily or poll, not \"\(key)\""))
                    continue
                }
                if let complaint = setting.complaint(value) {
                    problems.append(
                        problem(process.line, "the schedule \(key) of \(process.name) \(complaint), not \"\(value)\""))
                }
            }
        }
        for (key, value) in policies {
            let settingKey = key.map { $0 == "-" ? "_" : String($0) }.joined()
            guard let setting = Setting.named(settingKey) else {
                let near = nearest(to: settingKey, in: Setting.all.map(\.key)).map { "; did you mean \"\($0)\"?" } ?? ""
                problems.append(problem(nil, "unknown policy \"\(key)\"\(near)"))
                continue
            }
            if let complaint = setting.complaint(value) {
                problems.append(problem(nil, "the policy \(key) \(complaint), not \"\(value)\""))
            }
        }
        return problems.sorted { $0.message < $1.message }
    }

    /// Which setting a schedule's word gives to its process.
    static let scheduleSettings = ["daily": "daily_time", "poll": "poll_interval"]

    /// The settings that the pipeline gives to one of its processes, by their keys in `config.yaml`.
    package func settings(of process: Process) -> [String: String] {
        var settings: [String: String] = [:]
        for (key, value) in policies { settings[key.map { $0 == "-" ? "_" : String($0) }.joined()] = value }
        for (key, value) in process.schedule {
            if let setting = Self.scheduleSettings[key] { settings[setting] = value }
        }
        return settings
    }
}

extension Setting {
    static func named(_ key: String) -> Setting? { all.first { $0.key == key } }
}

/// At most 26 bytes: with `.health.sock` or `.notify.sock` it stays within what a socket's name may take.
private func isProcessName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 26
        && name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
}
