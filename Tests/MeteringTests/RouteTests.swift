import FinOps
import Metering
import Testing

@Suite struct RouteTests {
    @Test(arguments: Route.all) func everyRouteIsFoundAndMakesOneEvent(_ route: Route) throws {
        let target = route.name.replacing("{id}", with: "resp_1")
        let match = try #require(
            RouteMatch(method: route.method, target: target, speaksAnthropic: route.dialect == .anthropic))
        #expect(match.route == route)
        #expect(match.path == target.dropFirst(3))

        let facts = try Array(#"{"model":"gpt-4o-mini","input":"a"}"#.utf8).withUnsafeBytes {
            try RequestFacts.read(route, contentType: "application/json", body: $0)
        }
        var meter = ResponseMeter(route, facts, status: 200, contentType: "application/json")
        let usage = #"{"usage":{"input_tokens":3,"output_tokens":1},"background":true,"status":"completed"}"#
        #expect(Array(usage.utf8).withUnsafeBytes { meter.receive($0) } == .unchanged)
        var call = WireCallRecorded()
        call.provider = route.dialect == .anthropic ? "anthropic" : "openai"
        call.modelAsked = "gpt-4o-mini"
        call.started = 1_795_168_800_000_000
        var pricing = CallPricing(.seed, policy: ReservationPolicy(unpricedPerMillion: 1))
        pricing.complete(&call, route, meter.finish(.complete).reading)
        #expect(call.kind == route.kind)
        if route.reading == .none {
            #expect(call.cost.nanos == 0 && call.quantities.inputTokens == 0)
        } else {
            #expect(call.quantities.inputTokens == 3)
            #expect(call.hasCost || !call.unpricedReason.isEmpty)
        }
    }

    @Test(arguments: [
        "/v1/chat/completions/", "/v1//chat/completions", "/v1/./chat/completions", "/v1/chat/../chat/completions",
        "/v1/chat/%63ompletions", "/v1/chat%2fcompletions", "/V1/chat/completions", "/v1/files", "/v1", "/", "",
        "*", "http://elsewhere.example/v1/chat/completions", "//elsewhere.example/v1/chat/completions",
        "/v1/chat/completions#a", "/v1/chat/completions?a b", "/v1/chat/completions;a", "/v1/chat/completions\u{0}",
        "/v1/chat/completions?x=\u{E9}",
    ])
    func aTargetThatIsNotExactlyARouteIsNone(_ target: String) {
        #expect(RouteMatch(method: "POST", target: target, speaksAnthropic: false) == nil)
    }

    @Test(arguments: ["..", ".", "%2e%2e", "a%2fb", "a/b", "", String(repeating: "a", count: 201), "a b", "é"])
    func anIdThatCouldBeReadAsStructureIsNone(_ id: String) {
        #expect(RouteMatch(method: "GET", target: "/v1/responses/" + id, speaksAnthropic: false) == nil)
        #expect(RouteMatch(method: "GET", target: "/v1/models/" + id, speaksAnthropic: false) == nil)
    }

    @Test(arguments: ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "CONNECT", "post", ""])
    func anotherMethodIsNone(_ method: String) {
        #expect(RouteMatch(method: method, target: "/v1/chat/completions", speaksAnthropic: false) == nil)
    }

    @Test func theTwoListsOfModelsAreToldApartByTheVersionHeader() throws {
        #expect(try Metered.match("/v1/models", "GET").route.dialect == .openai)
        #expect(try Metered.match("/v1/models", "GET", anthropic: true).route.dialect == .anthropic)
        #expect(
            try Metered.match("/v1/models/ft:gpt-4o-mini:org::a.1", "GET").path == "/models/ft:gpt-4o-mini:org::a.1")
        #expect(try Metered.match("/v1/messages?beta=true").route.dialect == .anthropic)
    }

    @Test func theUpstreamsAddressIsTheConfigurationsAndTheRoutesAlone() throws {
        let chat = try Metered.match("/v1/chat/completions?api-version=1999&x=1")
        #expect(
            chat.upstreamTarget(basePath: "/v1", baseQuery: "", deployment: nil)
                == "/v1/chat/completions?api-version=1999&x=1")
        #expect(chat.needsDeployment(basePath: "/openai"))
        #expect(!chat.needsDeployment(basePath: "/openai/v1/"))
        #expect(
            chat.upstreamTarget(basePath: "/openai", baseQuery: "api-version=2024-10-21", deployment: "my mini/..")
                == "/openai/deployments/my%20mini%2F../chat/completions?api-version=2024-10-21&x=1")
        #expect(
            chat.upstreamTarget(basePath: "/openai/v1/", baseQuery: "", deployment: nil)
                .hasPrefix("/openai/v1/chat/completions"))
        let models = try Metered.match("/v1/models", "GET")
        #expect(!models.needsDeployment(basePath: "/openai"))
        #expect(models.upstreamTarget(basePath: "", baseQuery: "", deployment: "..") == "/deployments/%2E%2E/models")
    }
}
