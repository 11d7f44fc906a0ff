package import FinOps
package import Secret
package import Transfer

/// One thing that `ingest-openai check` has tried, and what to do if it failed.
package struct CheckFinding: Hashable, Sendable {
    /// What was tried, in a word or two.
    package let subject: String
    /// Nil where it works.
    package let failure: SourceFailure?
    /// What was found, for people.
    package let detail: String
    /// What a person can do; empty where it works.
    package let remedy: String

    package init(subject: String, failure: SourceFailure?, detail: String, remedy: String) {
        self.subject = subject
        self.failure = failure
        self.detail = detail
        self.remedy = remedy
    }

    /// Whether it works.
    package var ok: Bool { failure == nil }
}

/// Tries a connection with the smallest requests there are, and says precisely what is wrong.
package struct OpenAICheck: Sendable {
    /// More than this between our clock and the server's spoils schedules and signatures.
    package static let skewSeconds: Int64 = 300

    private let endpoint: OpenAIEndpoint
    private let legacy: Bool
    private let secret: Secret
    private let transport: any HTTPTransport

    /// - Parameter transport: asked directly, once each: a check does not retry.
    package init(endpoint: OpenAIEndpoint, legacy: Bool, secret: Secret, transport: any HTTPTransport) {
        self.endpoint = endpoint
        self.legacy = legacy
        self.secret = secret
        self.transport = transport
    }

    /// - Parameter now: Unix seconds by our clock.
    package func run(now: Int64) async -> [CheckFinding] {
        let hour = now - now % 3_600
        let day = now - now % 86_400
        let questions: [(String, OpenAIQuestion, [(String, String)])] =
            legacy
            ? [("usage", .legacy, [("date", Day(number: Int(day / 86_400)).description)])]
            : [
                ("usage", .usage(.completions), Self.page(from: hour - 3_600, to: hour, width: "1h")),
                ("costs", .costs, Self.page(from: day - 86_400, to: day, width: "1d")),
            ]
        var findings: [CheckFinding] = []
        for (subject, question, values) in questions {
            let (finding, skew) = await ask(subject, question, values, now: now)
            findings.append(finding)
            // Without a connection the other questions would only repeat the same answer.
            if finding.failure?.kind == .unreachable { return findings }
            if let skew, findings.count == 1 { findings.append(skew) }
        }
        return findings
    }

    private static func page(from start: Int64, to end: Int64, width: String) -> [(String, String)] {
        [("start_time", "\(start)"), ("end_time", "\(end)"), ("bucket_width", width), ("limit", "1")]
    }

    private func ask(
        _ subject: String, _ question: OpenAIQuestion, _ values: [(String, String)], now: Int64
    ) async -> (CheckFinding, skew: CheckFinding?) {
        let request = HTTPRequest(
            url: endpoint.url(question.path, values), headers: [HTTPHeader("Accept", "application/json")],
            authorization: .init(secret: secret))
        do {
            let response = try await transport.send(request)
            switch question.judge(response, secret: secret) {
            case .accept: return (works(subject), skew(response, now: now))
            case .retry(let failure), .refuse(let failure):
                return (fails(subject, failure, response), skew(response, now: now))
            }
        } catch {
            let failure = OpenAIQuestion.failure(.transfer(error))
            return (
                CheckFinding(subject: subject, failure: failure, detail: failure.message, remedy: remedy(error)), nil
            )
        }
    }

    private func works(_ subject: String) -> CheckFinding {
        CheckFinding(subject: subject, failure: nil, detail: "\(endpoint.base) answers", remedy: "")
    }

    private func fails(_ subject: String, _ failure: SourceFailure, _ response: HTTPResponse) -> CheckFinding {
        CheckFinding(
            subject: subject, failure: failure, detail: failure.message,
            remedy: remedy(failure, status: response.status))
    }

    private func skew(_ response: HTTPResponse, now: Int64) -> CheckFinding? {
        guard let theirs = response.header("date").flatMap(HTTPDate.unixSeconds), abs(theirs - now) > Self.skewSeconds
        else { return nil }
        let text = "our clock is \(abs(theirs - now)) seconds \(theirs > now ? "behind" : "ahead of") the server's"
        return CheckFinding(
            subject: "clock", failure: SourceFailure(.misconfigured, text), detail: text,
            remedy: "set this machine's clock (timedatectl set-ntp true)")
    }

    private func remedy(_ failure: SourceFailure, status: Int) -> String {
        let text = failure.message.lowercased()
        switch failure.kind {
        case .notAuthorised where text.contains("missing scopes"):
            return "give the admin key the scope api.usage.read, or make one without restrictions"
        case .notAuthorised where text.contains("owner"):
            return "usage and costs need an admin key (sk-admin-…) made by an owner of the organization"
        case .notAuthorised where legacy: return "connect again with a key of this account"
        case .notAuthorised:
            return "usage and costs need an admin key (sk-admin-…): finops connect openai --name NAME --key-file FILE"
        case .notFound: return "correct the base address: it is what stands before /organization/…"
        case .throttled: return "wait, and look for other programs that use the same key"
        case .unavailable: return "nothing on our side; see https://status.openai.com"
        case .malformedAnswer: return "is this address really the API, and not a page of a proxy?"
        default: return "read the message; status \(status)"
        }
    }

    private func remedy(_ failure: TransferFailure) -> String {
        switch failure.kind {
        case .cannotResolve: "correct the host name, or this machine's DNS"
        case .cannotConnect: "is a firewall or a proxy between this machine and \(endpoint.base)?"
        case .timedOut: "the network swallows the request: look at firewall, proxy and route"
        case .tlsFailed: "the certificate is not trusted: for a company's proxy, give its certificates with --ca-file"
        default: "try again"
        }
    }
}
