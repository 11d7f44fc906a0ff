import EventLog
import JSON
import Runtime
import ServiceLifecycle
import Testing

@Suite struct StageHealthTests {
    /// Runs a health server while `body` asks it.
    private func served(_ health: StageHealth, _ body: (String) async throws -> Void) async throws {
        try await withStateDirectory { directory in
            let path = try directory.healthSocket(stage: health.stage)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await HealthServer(path: path, health: health).run() }
                try await eventually("the server answers") { HealthClient.get("/livez", socket: path) != nil }
                try await body(path)
                group.cancelAll()
            }
            #expect(HealthClient.get("/livez", socket: path) == nil)
        }
    }

    @Test func aStageIsLiveBeforeItIsReady() async throws {
        let health = StageHealth(stage: "projector", clock: .real)
        try await served(health) { path in
            #expect(HealthClient.get("/livez", socket: path)?.status == 200)
            #expect(HealthClient.get("/readyz", socket: path)?.status == 503)
            health.ready()
            #expect(HealthClient.get("/readyz", socket: path)?.status == 200)
            #expect(HealthClient.get("/elsewhere", socket: path)?.status == 404)
        }
    }

    @Test func readinessSaysWhereAStageListens() {
        let health = StageHealth(stage: "gateway", clock: .real)
        #expect(health.document["listen"] == nil)
        health.listening(at: "http://127.0.0.1:8080")
        #expect(health.document["listen"]?.string == "http://127.0.0.1:8080")
    }

    @Test func readinessSaysHowFarEachConsumerIs() async throws {
        let health = StageHealth(stage: "attributor", clock: .real)
        health.consumed("usage", through: Position(7), head: Position(10), recorded: Timestamp(seconds: 0))
        health.parked("usage", count: 2, oldest: Timestamp(seconds: 60))
        try await served(health) { path in
            let consumer = HealthClient.readiness(socket: path)?["consumers"]?.array?.first
            #expect(consumer?["lag_events"]?.integer == 3)
            #expect(consumer?["last_event"]?.string == "1970-01-01T00:00:00.000000Z")
            #expect(consumer?["parked_events"]?.integer == 2)
        }
    }

    @Test func metricsAreInPrometheusTextFormat() async throws {
        let health = StageHealth(stage: "projector", clock: .real)
        health.metrics.declare("finops_events_total", .counter, help: "Events\nby type.")
        health.metrics.add(2, to: "finops_events_total", labels: ["type": "a\"b\\c\nd"])
        health.metrics.add(to: "finops_events_total", labels: ["type": "a\"b\\c\nd"])
        health.consumed("all", through: Position(1), head: Position(1))
        try await served(health) { path in
            let text = HealthClient.get("/metrics", socket: path)?.body ?? ""
            #expect(text.contains("# HELP finops_events_total Events\\nby type.\n# TYPE finops_events_total counter\n"))
            #expect(text.contains("finops_events_total{type=\"a\\\"b\\\\c\\nd\"} 3\n"))
            #expect(text.contains("finops_consumer_lag_events{stage=\"projector\",consumer=\"all\"} 0\n"))
            #expect(text.hasSuffix("\n"))
        }
    }

    @Test func changesOfReadinessAreToldOnce() {
        let told = Told<Bool>()
        let health = StageHealth(stage: "s", clock: .real) { told.add($0) }
        health.ready()
        health.ready()
        health.notReady("the log is away")
        health.ready()
        #expect(told.all == [true, false, true])
    }
}
