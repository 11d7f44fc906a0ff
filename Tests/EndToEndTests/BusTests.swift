import Foundation
import JSON
import Runtime
import Testing

/// A log that is reached over the network: by listed keys, for what their lines allow, and by nobody else.
@Suite(.serialized) struct BusTests {
    /// Two ports that nobody listens at. They may be taken until they are used, which a test then says.
    private func freePorts() throws -> [UInt16] {
        let sockets = (0..<2).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        defer { for descriptor in sockets { close(descriptor) } }
        return try sockets.map { descriptor in
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
                }
            }
            guard isBound else { throw Unexpected("no free port") }
            return UInt16(bigEndian: address.sin_port)
        }
    }

    private func publicKey(_ installation: Installation) async throws -> String {
        let made = try await installation.run("finops", "bus", "key", "--json").expecting().json()
        #expect(made["changed"] == true)
        let again = try await installation.run("finops", "bus", "key", "--json").expecting().json()
        #expect(again["changed"] == false)
        #expect(again["public_key"] == made["public_key"])
        return try #require(made["public_key"]?.string)
    }

    /// Makes another machine's directory, whose log is the first one's.
    private func machine(
        _ name: String, of installation: Installation, ports: [UInt16], server: String
    ) async throws -> Installation {
        var machine = installation
        machine.stateName = name
        try await machine.run("finops", "init").expecting()
        try """
        version: 1
        name: elsewhere
        endpoints:
          log-requests: { address: "tcp://127.0.0.1:\(ports[0])", server_key: "\(server)" }
          log-events: { address: "tcp://127.0.0.1:\(ports[1])", server_key: "\(server)" }
        processes:
          - { name: ingest-openai, command: [ingest-openai, run] }
        """.write(toFile: machine.directory + "/pipeline.yaml", atomically: true, encoding: .utf8)
        try await machine.run("finops", "pipeline", "check").expecting()
        return machine
    }

    @Test func aListedKeyAppendsWhatItsLineAllowsAndAnotherIsRefusedCountedAndNamed() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let ports = try freePorts()
            let pipeline = installation.directory + "/pipeline.yaml"
            var text = try String(contentsOfFile: pipeline, encoding: .utf8)
            for (name, port) in zip(["log-requests", "log-events"], ports) {
                text = text.replacing("\(name): ipc", with: "\(name): tcp://127.0.0.1:\(port)")
            }
            try text.write(toFile: pipeline, atomically: true, encoding: .utf8)
            let server = try await publicKey(installation)
            let listed = try await machine("listed", of: installation, ports: ports, server: server)
            let stranger = try await machine("stranger", of: installation, ports: ports, server: server)
            let key = try await publicKey(listed)
            let strange = try await publicKey(stranger)
            let file = listed.directory + "/keys/bus.pub"
            let allow = ["bus", "allow", file, "--append", "team.added", "--json"]
            #expect(try await installation.run("finops", arguments: allow).expecting().json()["changed"] == true)
            #expect(try await installation.run("finops", arguments: allow).expecting().json()["changed"] == false)

            let up = try installation.start("finops", ["up"])
            try await installation.allReady()
            try await listed.run("finops", "team", "add", "far away").expecting()
            let teams = try await installation.run("finops", "team", "list", "--json").expecting().json()
            #expect(teams.array?.map { $0["team"] } == ["far away"])
            let refused = try await listed.run("finops", "project", "add", "chat", "--team", "far away").expecting(4)
            #expect(refused.standardError.contains("may not append project.added"))

            let attempt = try stranger.start("finops", ["team", "add", "stranger"])
            try await eventually("the stranger is named") { up.standardErrorSoFar.contains(strange) }
            attempt.send(SIGKILL)
            _ = await attempt.wait()
            let socket = try StateDirectory(path: installation.directory).healthSocket(stage: "event-log")
            let metrics = try #require(HealthClient.get("/metrics", socket: socket)).body
            #expect(metrics.contains(#"finops_bus_incidents_total{kind="key-denied"}"#))
            #expect(metrics.contains(#"finops_bus_incidents_total{kind="not-allowed"}"#))
            let stillOne = try await installation.run("finops", "team", "list", "--json").expecting().json()
            #expect(stillOne.array?.count == 1)

            up.send(SIGTERM)
            try await up.wait(limit: .seconds(20)).expecting()
            // The public keys may be seen; no secret one is, outside its file.
            for machine in [installation, listed, stranger] {
                let secret = try String(contentsOfFile: machine.directory + "/keys/bus.key", encoding: .utf8)
                let found = try installation.filesHolding(secret.trimmingCharacters(in: .newlines))
                #expect(found == ["\(machine.stateName)/keys/bus.key"])
            }
            #expect(key != server)
        }
    }

    @Test func aNetworkWithoutKeyOrListNamesTheCommandThatMendsIt() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let serve = ["serve", "--listen-requests", "tcp://127.0.0.1:*", "--listen-events", "tcp://127.0.0.1:*"]
            let keyless = try await installation.run("event-log", arguments: serve).expecting(1)
            #expect(keyless.standardError.contains("finops bus key"))
            try await installation.run("finops", "bus", "key").expecting()
            let listless = try await installation.run("event-log", arguments: serve).expecting(1)
            #expect(listless.standardError.contains("finops bus allow"))
            let note = installation.directory + "/note.txt"
            try "no key\n".write(toFile: note, atomically: true, encoding: .utf8)
            let noKey = try await installation.run("finops", "bus", "allow", note).expecting(64)
            #expect(noKey.standardError.contains("does not hold a public key"))
        }
    }
}
