import Foundation
import JSON
import Runtime
import Secret
import Transfer

/// The demo's last scene, when the week is over and the clock runs as fast as any other: an application calls through the
/// gateway until its project's limit is spent, the policy disables its key, and this is the evidence.
///
/// A call writes 1,000 tokens of gpt-4o, which is 0.01 USD by the published prices and some for the question: five are more
/// than the limit. What comes before the key is disabled the gateway refuses by itself (429), what comes after it, too (403).
struct DemoKey: Sendable {
    static let project = "assistant"
    static let daily = "0.05"
    static let question =
        #"{"model":"gpt-4o","max_tokens":1000,"messages":[{"role":"user","content":"Say it again, at length."}]}"#
    static let limitNano: Int64 = 50_000_000
    /// The most that one call can cost.
    private static let callNano: Int64 = 11_000_000
    /// The gateway answers at once, and the key is disabled within a second or two.
    static let patience = Duration.seconds(60)

    /// What the application was answered: how often which status, in the order of their first time.
    let answers: [(status: Int, count: Int)]
    /// Of `reporter alerts`, at 100 %; null if there is none.
    let alert: JSONValue
    /// Of `reporter kills`; null if there is none.
    let kill: JSONValue
    /// Of `reporter audit`; null if there is none.
    let audit: JSONValue
    /// The first line of the Slack message about it; nil if none came.
    let message: String?
    /// Nano-dollars, of all calls.
    let spent: Int64

    var problems: [String] {
        var problems: [String] = []
        func demand(_ holds: Bool, _ problem: String) {
            if !holds { problems.append("\(Self.project): \(problem)") }
        }
        demand(answers.first?.status == 200, "no call was let through: \(answersText)")
        demand(answers.last?.status == 403, "its key was not refused at last: \(answersText)")
        demand(alert["basis"] == "estimated", "no crossing was found by its calls: \(alert.text)")
        demand(spent >= Self.limitNano, "its calls came to \(spent), which is less than its limit")
        demand(spent < Self.limitNano + Self.callNano, "its calls came to \(spent), more than the limit and one call")
        demand(kill["cause"] == "policy", "no policy disabled its key: \(kill.text)")
        demand(kill["acknowledged"] == true, "the gateway has not said that the key is refused: \(kill.text)")
        let last = kill["gateways"]?.array?.first?["last_call"]?.string
        demand(last != nil, "nobody knows the last request before it: \(kill.text)")
        demand(audit["actor"] == "policy", "the audit log does not say who did it: \(audit.text)")
        demand(message != nil, "no Slack message about it arrived")
        return problems
    }

    var document: JSONValue {
        [
            "project": .string(Self.project), "daily": .string(Self.daily), "spent_nano": .integer(spent),
            "answers": .array(answers.map { ["status": .integer($0.status), "count": .integer($0.count)] }),
            "alert": alert, "kill": kill, "audit": audit, "slack": JSONValue(message),
        ]
    }

    private var answersText: String { answers.map { "\($0.count) × \($0.status)" }.joined(separator: ", then ") }

    /// The same for people.
    var text: String {
        let gateway = kill["gateways"]?.array?.first ?? .null
        let enforced = gateway["acknowledged_ms"]?.text ?? "–"
        let last = gateway["last_accepted_ms"]?.text ?? "–"
        return """
            The application was answered \(answersText).
            Decided \(kill["decided"]?.string ?? "–") by \(kill["actor"]?.string ?? "–"): \(kill["reason"]?.string ?? "–")
            In force at \(gateway["gateway"]?.string ?? "–") after \(enforced) ms; its last request was \
            let through \(last.hasPrefix("-") ? "\(last.dropFirst()) ms before" : "\(last) ms after") the decision.
            Slack: \(message ?? "–")

            """
    }
}

extension DemoStage {
    /// Lets an application spend its project's limit.
    func spendALimit() async throws -> DemoKey {
        try await run("finops", "project", "add", DemoKey.project, "--team", Self.teams[2])
        let keyFile = directory.path + "/demo/upstream-key"
        // What the sandbox takes for a key of the data plane.
        try Data("sk-sandbox".utf8).write(to: URL(filePath: keyFile))
        let provider = try String(contentsOfFile: files.address, encoding: .utf8)
            .trimmingCharacters(in: .newlines)
        try await run(
            "finops", "upstream", "set", "openai", "--name", "main", "--base-url", provider + "/v1", "--key-file",
            keyFile)
        let issued = try await json("finops", "key", "issue", "--project", DemoKey.project, "--json")
        try await run(
            "finops", "threshold", "set", "--project", DemoKey.project, "--daily", DemoKey.daily, "--policy",
            "disable-keys")
        guard let key = issued["key"]?.string else {
            throw CommandFailure(.failure, "finops key issue gave no key: \(issued["id"]?.text ?? "–")")
        }
        try await goOn()
        say("the week is over; \(DemoKey.project) calls through the gateway, for up to \(DemoKey.daily) USD a day")
        let answers = try await spend(Secret(Array(key.utf8)), at: try await gatewayAddress())
        say("its key was refused")
        let message = try await awaitEvidence()
        await stopPipeline()
        return try await evidence(answers, message)
    }

    private func spend(_ key: Secret, at address: String) async throws -> [(status: Int, count: Int)] {
        let transport = try CurlTransport()
        let request = HTTPRequest(
            method: "POST", url: address + "/v1/chat/completions",
            headers: [
                HTTPHeader("Content-Type", "application/json"), HTTPHeader("X-FinOps-Task-Type", "small-talk"),
            ], authorization: .init(secret: key), body: Array(DemoKey.question.utf8))
        var answers: [(status: Int, count: Int)] = []
        let deadline = ContinuousClock.now + DemoKey.patience
        while answers.last?.status != 403, ContinuousClock.now < deadline {
            let status = try await transport.send(request).status
            if let place = answers.firstIndex(where: { $0.status == status }) {
                answers[place].count += 1
            } else {
                answers.append((status, 1))
            }
            if status != 200 { try await Task.sleep(for: .milliseconds(50)) }
        }
        return answers
    }

    private func gatewayAddress() async throws -> String {
        let deadline = ContinuousClock.now + DemoKey.patience
        while ContinuousClock.now < deadline {
            let status = try await json("finops", "status", "--json")
            let rows = (status["processes"]?.array ?? []).filter { $0["state"] == "ready" }
            func row(_ name: String) -> JSONValue? { rows.first { $0["name"]?.string == name } }
            if let address = row("gateway")?["listen"]?.string, row("threshold-watcher") != nil { return address }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw CommandFailure(.tryAgain, "the gateway did not become ready")
    }

    /// Waits until the gateway's acknowledgement and the message have arrived. What is missing then is a problem of the report.
    private func awaitEvidence() async throws -> String? {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let messages = try files.arrived(.slack)["messages"]?.array ?? []
            let message = messages.compactMap { $0["text"]?.string }.first { $0.contains(DemoKey.project) }
            let isAcknowledged = try await kill()["acknowledged"] == true
            if message != nil && isAcknowledged || ContinuousClock.now >= deadline {
                return message?.split(separator: "\n").first.map(String.init)
            }
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    private func kill() async throws -> JSONValue {
        try await json("reporter", "kills", "--json")["kills"]?.array?
            .first { $0["project"]?.string == DemoKey.project } ?? .null
    }

    private func evidence(_ answers: [(status: Int, count: Int)], _ message: String?) async throws -> DemoKey {
        let alerts = try await json("reporter", "alerts", "--limit", "1000", "--json")["alerts"]?.array ?? []
        let audit = try await json("reporter", "audit", "--json")["audit"]?.array ?? []
        let calls = try await json("reporter", "calls", "--last", "2d", "--json")["calls"]?.array ?? []
        return DemoKey(
            answers: answers,
            alert: alerts.first { $0["name"]?.string == DemoKey.project && $0["level"] == 100 } ?? .null,
            kill: try await kill(), audit: audit.first { $0["action"] == "key.disabled" } ?? .null, message: message,
            spent: calls.reduce(0) { $0 + ($1["cost_nano"]?.integer ?? 0) })
    }
}
