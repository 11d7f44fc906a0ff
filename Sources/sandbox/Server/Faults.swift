import ArgumentParser
import JSON

/// An error on demand: what goes wrong, for which path, and how often.
struct Fault: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case unauthorized = "401"
        /// 401 with the whole header in its words, as some gateways have it.
        case echo
        case forbidden = "403"
        case notFound = "404"
        case tooManyRequests = "429"
        case serverError = "500"
        case html
        case timeout
        case slow
        case truncated
        case duplicatePage = "duplicate-page"
        case missingPage = "missing-page"
        case missingBucket = "missing-bucket"
        case changedBucket = "changed-bucket"
        case malformedRow = "malformed-row"
        case currency
        case credit
        /// Any answer, by `code` and `text`.
        case reply
        /// The connection ends without an answer.
        case cut

        /// What the answer has wrong; nil for a fault of the transport or a refusal.
        var twist: Provider.Twist? { Provider.Twist(rawValue: rawValue) }
    }

    let kind: Kind
    /// A part of the paths it applies to; nil for every path of the provider. The moments of a mail's delivery are paths,
    /// too: `MailSession.Moment`.
    var path: String?
    /// How many more requests it applies to.
    var times = 1
    /// Seconds, for `429`.
    var retryAfter: Int?
    /// For `timeout` and `slow`: milliseconds until an answer.
    var delayMilliseconds: Int64?
    /// For `reply`: the status of HTTP or SMTP.
    var code: Int?
    /// For `reply`: the answer's words.
    var text: String?
    /// Whether a receiver keeps the message that meets it; if not said, those that meet `timeout`, `slow` and `cut` are.
    var kept: Bool?

    /// Reads what `POST /sandbox/faults` takes; nil names no kind that there is.
    init?(_ json: JSONValue) {
        guard let kind = json["kind"]?.string.flatMap(Kind.init) else { return nil }
        self.kind = kind
        path = json["path"]?.string
        times = json["times"]?.integer.map { Int(clamping: $0) } ?? 1
        retryAfter = json["retry_after"]?.integer.map { Int(clamping: $0) }
        delayMilliseconds = json["delay_ms"]?.integer
        code = json["code"]?.integer.map { Int(clamping: $0) }
        text = json["text"]?.string
        kept = json["kept"]?.bool
    }

    /// Reads `KIND[,path=…][,times=N][,retry_after=SECONDS][,delay_ms=N][,code=N][,text=…][,kept=0|1]`.
    init?(argument: String) {
        let parts = argument.split(separator: ",")
        guard let kind = parts.first.flatMap({ Kind(rawValue: String($0)) }) else { return nil }
        self.kind = kind
        for part in parts.dropFirst() {
            let sides = part.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { return nil }
            switch (sides[0], Int64(sides[1])) {
            case ("path", _): path = String(sides[1])
            case ("text", _): text = String(sides[1])
            case ("times", let number?): times = Int(clamping: number)
            case ("retry_after", let number?): retryAfter = Int(clamping: number)
            case ("delay_ms", let number?): delayMilliseconds = number
            case ("code", let number?): code = Int(clamping: number)
            case ("kept", let number?): kept = number != 0
            default: return nil
            }
        }
    }

    /// How long the answer is held back.
    var delay: Duration? {
        switch kind {
        case .timeout: .milliseconds(delayMilliseconds ?? 120_000)
        case .slow: .milliseconds(delayMilliseconds ?? 2_000)
        default: nil
        }
    }

    /// Whether a receiver keeps the message although its sender hears nothing good of it.
    var keepsMessage: Bool { kept ?? [.timeout, .slow, .cut].contains(kind) }

    var json: JSONValue {
        [
            "kind": .string(kind.rawValue), "path": JSONValue(path), "times": .integer(times),
            "retry_after": retryAfter.map { .integer($0) } ?? .null,
            "delay_ms": delayMilliseconds.map { .integer($0) } ?? .null, "code": code.map { .integer($0) } ?? .null,
            "text": JSONValue(text), "kept": kept.map { .bool($0) } ?? .null,
        ]
    }
}

extension Fault: ExpressibleByArgument {}

/// A span of the sandbox's clock in which every request of the provider fails: 500 and 429 in turn.
struct Outage: Sendable, ExpressibleByArgument {
    let span: Range<Int64>

    /// Reads `FROM/TO`, two RFC 3339 times.
    init?(argument: String) {
        let times = argument.split(separator: "/").compactMap { SandboxClock.seconds(rfc3339: String($0)) }
        guard times.count == 2, times[0] < times[1] else { return nil }
        span = times[0]..<times[1]
    }
}

/// Which fault meets which request, and what has been asked. One actor: the order of requests decides.
actor Control {
    private var faults: [Fault]
    private let outages: [Outage]
    private var outageAnswers = 0
    private var requests: [JSONValue] = []

    /// Older requests are forgotten beyond this many.
    static let keptRequests = 10_000

    init(faults: [Fault], outages: [Outage]) {
        self.faults = faults
        self.outages = outages
    }

    /// The fault that meets a request to the provider at this time, used up by it.
    func fault(forPath path: String, now: Int64) -> Fault? {
        if outages.contains(where: { $0.span.contains(now) }) {
            outageAnswers += 1
            return Fault(argument: outageAnswers.isMultiple(of: 2) ? "429" : "500")
        }
        return fault { $0.map(path.contains) ?? true }
    }

    /// The fault that meets a message on its way to a receiver, used up by it: only one that names such a path.
    func fault(forReceiver path: String) -> Fault? { fault { $0.map(path.contains) ?? false } }

    private func fault(where applies: (String?) -> Bool) -> Fault? {
        guard let place = faults.firstIndex(where: { applies($0.path) }) else { return nil }
        let fault = faults[place]
        faults[place].times -= 1
        if faults[place].times <= 0 { faults.remove(at: place) }
        return fault
    }

    func add(_ fault: Fault) { faults.append(fault) }
    func clearFaults() { faults = [] }
    var pendingFaults: JSONValue { .array(faults.map(\.json)) }

    func note(_ request: JSONValue) {
        if requests.count == Self.keptRequests { requests.removeFirst(Self.keptRequests / 2) }
        requests.append(request)
    }

    var notedRequests: JSONValue { .array(requests) }
    func clearRequests() { requests = [] }
}
