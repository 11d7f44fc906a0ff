import EventLog
@testable import Runtime
import Testing

@Suite struct TopologyTests {
    private static let sound = """
        version: 1
        name: small
        endpoints: { log-requests: ipc }
        stores:
          log: { owner: event-log }
        outside: { produces: [key.mapped] }
        processes:
          - { name: event-log, command: [event-log, serve], binds: [log-requests] }
          - name: attributor
            command: [attributor, run]
            after: [event-log]
            consumes: [key.mapped]
            produces: [attribution.assigned]
            schedule: { daily: "09:00", poll: 5m }
        """

    private func problems(_ text: String, known: Set<String>? = nil) -> [String] {
        do {
            _ = try Topology.parse(text, file: "p.yaml", knownTypes: known)
            return []
        } catch { return error.problems.map(\.description) }
    }

    /// The sound pipeline with one thing changed.
    private func problems(_ old: String, _ new: String, known: Set<String>? = nil) -> [String] {
        precondition(Self.sound.contains(old))
        return problems(Self.sound.replacing(old, with: new), known: known)
    }

    @Test func aSoundPipelineIsRead() throws {
        let topology = try Topology.parse(Self.sound, file: "p.yaml")
        #expect(topology.levels.map { $0.map(\.name) } == [["event-log"], ["attributor"]])
        #expect(topology.settings(of: topology.processes[1]) == ["daily_time": "09:00", "poll_interval": "5m"])
        #expect(topology.clock == nil)
    }

    @Test func anUnknownKeyIsNamedWithItsLine() {
        #expect(
            problems("consumes: [key.mapped]", "consume: [key.mapped]") == [
                "p.yaml:12: unknown key \"processes[1].consume\"; did you mean \"consumes\"?"
            ])
    }

    @Test func aConsumedTypeThatNothingProducesIsRefused() {
        #expect(
            problems("produces: [key.mapped]", "produces: []")
                == ["p.yaml:9: attributor consumes key.mapped, which nothing produces"])
    }

    @Test func anEventTypeThatDoesNotExistIsRefused() {
        #expect(
            problems("[attribution.assigned]", "[attribution.asigned]", known: ["key.mapped", "attribution.assigned"])
                == ["p.yaml:9: no event type is called attribution.asigned; did you mean attribution.assigned?"])
    }

    @Test func twoOwnersOfOneDatabaseAreRefused() {
        #expect(
            problems("[attributor, run]", "[event-log, serve]")
                == ["p.yaml:9: the store log has two owners: event-log and attributor"])
    }

    private static let network = "{ log-requests: \"tcp://10.0.0.5:7301\", log-events: \"tcp://10.0.0.5:7302\" }"
    private static let elsewhere = """
        version: 1
        name: collector
        endpoints:
          log-requests: { address: "tcp://10.0.0.5:7301", server_key: "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" }
          log-events: { address: "tcp://10.0.0.5:7302", server_key: "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" }
        processes:
          - { name: ingest-openai, command: [ingest-openai, run] }
        """

    @Test func networkEndpointsAreOpenedByTheProcessThatBindsThem() throws {
        let text = Self.sound.replacing("{ log-requests: ipc }", with: Self.network)
            .replacing("binds: [log-requests]", with: "binds: [log-requests, log-events]")
        let topology = try Topology.parse(text, file: "p.yaml")
        #expect(
            topology.listening(of: topology.processes[0]) == [
                "--listen-requests", "tcp://10.0.0.5:7301", "--listen-events", "tcp://10.0.0.5:7302",
            ])
        #expect(topology.listening(of: topology.processes[1]) == [])
        #expect(topology.logElsewhere == nil)
    }

    @Test func aNetworkThatIsHalfOpenOrForSomethingElseIsRefused() {
        #expect(
            problems("{ log-requests: ipc }", "{ log-requests: \"tcp://10.0.0.5:7301\" }")
                == ["p.yaml:3: log-requests and log-events belong together: both tcp://, with the same server_key"])
        #expect(
            problems("{ log-requests: ipc }", "{ log-requests: ipc, metrics: \"tcp://10.0.0.5:9100\" }").contains(
                "p.yaml:3: only log-requests and log-events can have a tcp:// address, not metrics"))
    }

    @Test func aLogElsewhereHasAnAddressAndAKeyAndIsBoundByNobody() throws {
        let there = try #require(try Topology.parse(Self.elsewhere, file: "p.yaml").logElsewhere)
        #expect(there.requests == "tcp://10.0.0.5:7301")
        #expect(there.events == "tcp://10.0.0.5:7302")
        let bound = Self.elsewhere.replacing("run] }", with: "run], binds: [log-events] }")
        #expect(
            problems(bound)
                == ["p.yaml:5: ingest-openai binds the endpoint log-events, whose server_key says it is elsewhere"])
        let local = Self.elsewhere.replacing("\"tcp://10.0.0.5:7301\"", with: "ipc")
        #expect(problems(local).contains("p.yaml:4: the endpoint log-requests has a server_key, but no tcp:// address"))
        let keyless = Self.elsewhere.replacing("server_key: \"rq:", with: "key: \"rq:")
        #expect(problems(keyless).contains("p.yaml:4: endpoints.log-requests.server_key is missing"))
    }

    @Test func anEndpointNobodyBindsIsRefused() {
        #expect(
            problems(", binds: [log-requests]", "") == ["p.yaml:3: nobody binds the endpoint log-requests"])
        #expect(
            problems("binds: [log-requests]", "binds: [log-requests, log-events]")
                == ["p.yaml:8: event-log binds the endpoint log-events, which is not declared"])
    }

    @Test func waitingInACircleIsRefused() {
        #expect(
            problems("binds: [log-requests]", "binds: [log-requests], after: [attributor]")
                == ["p.yaml:8: event-log, attributor wait for each other"])
    }

    @Test func waitingForAStrangerIsRefused() {
        #expect(
            problems("after: [event-log]", "after: [event-logs]").first
                == "p.yaml:9: attributor waits for it, but no process is called \"event-logs\"; did you mean \"event-log\"?"
        )
    }

    @Test func aScheduleThatDoesNotParseIsRefused() {
        #expect(
            problems("poll: 5m", "poll: often")
                == [
                    "p.yaml:9: the schedule poll of attributor must be a span such as 90s, 5m, 24h or 3d, not \"often\""
                ])
    }

    @Test func onlyADemoMayHaveAClock() throws {
        let clock = "name: small\nclock: { start: \"2026-11-09T00:00:00+09:00\", rate: 600 }"
        #expect(
            problems("name: small", clock) == ["p.yaml:3: only a pipeline with \"demo: true\" may have a clock"])
        let demo = try Topology.parse(
            Self.sound.replacing("name: small", with: clock + "\ndemo: true"), file: "p.yaml")
        #expect(demo.clock == .init(start: Timestamp(seconds: 1_794_150_000), rate: 600))
    }

    @Test func theClockOfADemoStandsAtItsStartUntilItRuns() async throws {
        let clock = "name: small\nclock: { start: \"2026-11-09T00:00:00+09:00\", rate: 600 }\ndemo: true"
        let demo = try Topology.parse(Self.sound.replacing("name: small", with: clock), file: "p.yaml")
        let real = try Topology.parse(Self.sound, file: "p.yaml")
        try await withStateDirectory { directory in
            try real.setClock(in: directory)
            #expect(try PipelineClock.load(from: directory) == .real)
            try demo.setClock(in: directory)
            let start = Timestamp(seconds: 1_794_150_000)
            #expect(try PipelineClock.load(from: directory).now() == start)
            let running = try demo.startClock(in: directory)
            #expect(running.scale?.frozen == nil && running.scale?.start == start)
            try demo.setClock(in: directory)
            #expect(try PipelineClock.load(from: directory) == running)
        }
    }

    @Test func thePipelineIsDrawn() throws {
        let topology = try Topology.parse(Self.sound, file: "p.yaml")
        #expect(topology.mermaid.contains("attributor -->|\"attribution\"| event_log"))
        #expect(topology.mermaid.contains("event_log -->|\"key\"| attributor"))
        #expect(topology.dot.hasPrefix("digraph \"small\" {"))
    }
}
