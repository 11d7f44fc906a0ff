import EventLog
import FoundationEssentials

/// What `config.yaml` says, under what the environment and the command line say. Every value is checked when it is made.
package struct Configuration: Sendable {
    /// Where a value comes from.
    package enum Origin: Hashable, Sendable, CustomStringConvertible {
        /// An option of the command line: it overrides all others.
        case flag
        /// The variable of this name.
        case environment(String)
        /// `config.yaml`, at this line if it is known.
        case file(line: Int?)
        /// Said nowhere: the setting's default.
        case fallback

        /// Such as `config.yaml:3` or `environment FINOPS_ZONE`.
        package var description: String {
            switch self {
            case .flag: "command line"
            case .environment(let name): "environment \(name)"
            case .file(let line): "config.yaml" + (line.map { ":\($0)" } ?? "")
            case .fallback: "default"
            }
        }
    }

    /// A setting's text and where it comes from.
    package struct Value: Hashable, Sendable {
        /// As written, already found acceptable.
        package var text: String
        package var origin: Origin
    }

    /// A dated rate of exchange: from `day` (`YYYY-MM-DD`) on, one unit of `currency` is worth `rate` of the reporting
    /// currency.
    package struct Rate: Hashable, Sendable {
        /// What one unit is of, as an ISO 4217 code.
        package var currency: String
        /// `YYYY-MM-DD`, the first business day it holds on; only its shape has been checked.
        package var from: String
        /// Decimal text, never a floating-point number.
        package var rate: String
    }

    /// Of every setting there is, by key.
    package let values: [String: Value]
    /// In the order of the file.
    package let rates: [Rate]

    init(values: [String: Value], rates: [Rate]) {
        self.values = values
        self.rates = rates
    }

    /// - Precondition: a setting has this key.
    package subscript(_ key: String) -> Value {
        guard let value = values[key] else { preconditionFailure("no setting is called \(key)") }
        return value
    }

    /// The business zone, an IANA name.
    package var zone: String { self["zone"].text }
    /// The reporting currency as an ISO 4217 code.
    package var currency: String { self["currency"].text }
    /// How long after a UTC day's end its bill begins to count.
    package var billedAfterSeconds: Int64 { seconds("billed_after") }
    /// Days before yesterday that every daily run reads again, because providers restate; 0 to 90.
    package var trailingDays: Int { checked(Int(self["trailing_days"].text)) }
    /// How often the running day is read; at least 1.
    package var pollSeconds: Int64 { seconds("poll_interval") }
    /// When the daily run begins, in the business zone.
    package var dailyTime: TimeOfDay { checked(TimeOfDay(self["daily_time"].text)) }
    /// What stands before the paths of links in alerts, without a slash at its end.
    package var consoleURL: String { ConsoleAddress.base(self["console_url"].text) }
    /// A message that fails for longer becomes a dead letter.
    package var alertGiveUpAfterSeconds: Int64 { seconds("alert_give_up_after") }
    /// A connected account that brings nothing for longer is told of.
    package var silentAfterSeconds: Int64 { seconds("silent_after") }
    /// A stage that stands still for longer is told of; at least 1.
    package var stalledAfterSeconds: Int64 { seconds("stalled_after") }
    /// A provider's day of which a greater share is unexplained is told of; in 10⁻⁹ per cent.
    package var reconcileAlertAbovePercentNanos: Int64 {
        checked(PercentText.nanos(self["reconcile_alert_above"].text))
    }
    /// Where an external scheduler may start the daily run; nil: nowhere.
    package var cronListen: LoopbackAddress? { LoopbackAddress(self["cron_listen"].text) }
    /// Where the gateway takes calls.
    package var gatewayListen: NumericAddress { checked(NumericAddress(self["gateway_listen"].text)) }
    /// PEM files of its certificate and key; nil: it speaks plain HTTP.
    package var gatewayTLS: (certificate: String, key: String)? {
        guard let certificate = path("gateway_tls_certificate"), let key = path("gateway_tls_key") else { return nil }
        return (certificate, key)
    }
    /// PEM file of authorities besides the system's; nil: none.
    package var gatewayAuthorities: String? { path("gateway_upstream_ca") }
    /// Bytes.
    package var gatewayMaxBody: Int { checked(ByteText.bytes(self["gateway_max_body"].text)) }
    /// Whether calls are refused whose use cannot be kept.
    package var gatewayClosesWhenFull: Bool { self["gateway_spool_full"].text == "fail-closed" }
    /// How long the gateway lets calls through without the log; at least a second.
    package var gatewayLogGrace: Duration { .seconds(seconds("gateway_log_grace")) }
    /// Whether no call is let through when the log is away for longer than that.
    package var gatewayClosesWithoutLog: Bool { self["gateway_log_lost"].text == "fail-closed" }
    /// How long an upstream may take to begin its answer; at least two seconds.
    package var gatewayUpstreamTimeout: Duration { .seconds(seconds("gateway_upstream_timeout")) }
    /// Nano-dollars for a million tokens of a model without a price.
    package var gatewayUnpricedPerMillion: Int64 {
        checked(NanoAmount.nanos(self["gateway_unpriced_per_million"].text))
    }
    /// Whom refused callers may ask.
    package var gatewayContact: String { self["gateway_contact"].text }
    package var listStyle: ListStyle { checked(ListStyle(rawValue: self["list_style"].text)) }
    /// One of swift-log's words.
    package var logLevel: String { self["log_level"].text }
    package var logFormat: LogFormat { checked(LogFormat(rawValue: self["log_format"].text)) }

    private func path(_ key: String) -> String? { self[key].text == "none" ? nil : self[key].text }

    private func seconds(_ key: String) -> Int64 { checked(DurationText.seconds(self[key].text)) }

    private func checked<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("a configuration is checked when it is made") }
        return value
    }
}

extension Configuration {
    /// Reads `config.yaml` of a directory; a missing file is an empty one.
    /// - Parameter flags: values of the command line, by key.
    /// - Throws: `DocumentProblems` with every mistake, `CommandFailure` if the file cannot be read.
    package static func load(
        _ directory: StateDirectory, flags: [String: String] = [:],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> Configuration {
        let path = directory.configuration
        guard FileManager.default.fileExists(atPath: path) else {
            return try parse("", file: path, flags: flags, environment: environment)
        }
        return try parse(try readDocument(path), file: path, flags: flags, environment: environment)
    }

    /// - Throws: `DocumentProblems` with every mistake at once.
    package static func parse(
        _ text: String, file: String, flags: [String: String] = [:], environment: [String: String] = [:]
    ) throws(DocumentProblems) -> Configuration {
        var document = try composeDocument(text, file: file)
        var values: [String: Value] = [:]
        for setting in Setting.all {
            let written = document.text(setting.key)
            let value =
                if let flag = flags[setting.key] {
                    Value(text: flag, origin: .flag)
                } else if let variable = environment[setting.environmentName], !variable.isEmpty {
                    Value(text: variable, origin: .environment(setting.environmentName))
                } else if let written {
                    Value(text: written.value, origin: .file(line: written.line))
                } else {
                    Value(text: setting.fallback, origin: .fallback)
                }
            if let complaint = setting.complaint(value.text) {
                let place = if case .file = value.origin { "" } else { " (\(value.origin))" }
                document.report(
                    "\(setting.key)\(place) \(complaint), not \"\(shown(value.text))\"", line: written?.line)
            }
            values[setting.key] = value
        }
        checkGateway(values, in: &document)
        let rates = rates(in: &document)
        document.refuseUnknownKeys()
        guard document.problems.isEmpty else { throw DocumentProblems(document.problems) }
        return Configuration(values: values, rates: rates)
    }

    /// What must go together.
    private static func checkGateway(_ values: [String: Value], in document: inout DocumentMapping) {
        func line(_ key: String) -> Int? { if case .file(let line)? = values[key]?.origin { line } else { nil } }
        let files = ["gateway_tls_certificate", "gateway_tls_key"]
        let set = files.filter { values[$0].map { $0.text != "none" } ?? false }
        if set.count == 1 {
            document.report("\(files[0]) and \(files[1]) belong together: only \(set[0]) is set", line: line(set[0]))
        } else if set.isEmpty, let listen = values["gateway_listen"].flatMap({ NumericAddress($0.text) }),
            !listen.isLoopback
        {
            document.report(
                "gateway_listen: \(listen) is reachable from other machines, where plain HTTP would show every key: "
                    + "set \(files[0]) and \(files[1]), or listen on 127.0.0.1", line: line("gateway_listen"))
        }
    }

    private static func rates(in document: inout DocumentMapping) -> [Rate] {
        document.mappings("rates").map { entry in
            var entry = entry
            let rate = Rate(
                currency: entry.requiredText("currency"), from: entry.requiredText("from"),
                rate: entry.requiredText("rate"))
            if !rate.from.isEmpty, CivilDate.number(rate.from) == nil {
                entry.report("\(entry.path("from")) must be a day such as 2026-01-31", line: entry.line)
            }
            if !rate.rate.isEmpty, !isPositiveDecimal(rate.rate) {
                entry.report(
                    "\(entry.path("rate")) must be a positive decimal of at most 18 digits such as 1.0834",
                    line: entry.line)
            }
            entry.refuseUnknownKeys()
            document.adopt(entry.problems)
            return rate
        }
    }
}

/// 18 digits between the zeros at either end leave room for any amount beside them.
private func isPositiveDecimal(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let isDigits =
        (1...2).contains(parts.count)
        && parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
    let significant = parts.joined().drop { $0 == "0" }.reversed().drop { $0 == "0" }
    return isDigits && text.utf8.count <= 40 && (1...18).contains(significant.count)
}
