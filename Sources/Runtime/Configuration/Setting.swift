import JSON

/// One thing that can be configured: its key in `config.yaml`, its default, and what makes a value acceptable.
package struct Setting: Sendable {
    /// As it stands in `config.yaml`.
    package var key: String
    /// What counts where nobody says anything; acceptable itself.
    package var fallback: String
    /// For the help text: what it decides.
    package var summary: String
    /// - Returns: what a value must be, if this one is not.
    package var complaint: @Sendable (String) -> String?

    /// The variable that overrides the file: `billed_after` is `FINOPS_BILLED_AFTER`.
    package var environmentName: String { "FINOPS_" + key.uppercased() }

    /// Every one there is: a key that is not among them is refused.
    package static let all: [Setting] = [
        Setting(key: "zone", fallback: "Asia/Seoul", summary: "business time zone (IANA name)") {
            isTimeZone($0) ? nil : "must be an IANA time zone such as Asia/Seoul"
        },
        Setting(key: "currency", fallback: "USD", summary: "reporting currency (ISO 4217)") {
            isCurrency($0) ? nil : "must be a currency code of three capital letters"
        },
        Setting(key: "billed_after", fallback: "24h", summary: "a day's bill counts this long after the day's end") {
            DurationText.seconds($0) == nil ? DurationText.expectation : nil
        },
        Setting(key: "trailing_days", fallback: "3", summary: "days that every daily run reads again") {
            Int($0).map { (0...90).contains($0) } == true ? nil : "must be a number from 0 to 90"
        },
        Setting(key: "poll_interval", fallback: "5m", summary: "how often the running day is read") {
            (DurationText.seconds($0) ?? 0) >= 1 ? nil : DurationText.expectation
        },
        Setting(key: "daily_time", fallback: "09:00", summary: "when the daily run begins, in the business zone") {
            TimeOfDay($0) == nil ? "must be a time such as 09:00" : nil
        },
        Setting(key: "console_url", fallback: "http://localhost:8600", summary: "where links in alerts lead") {
            ConsoleAddress.isOne($0) ? nil : "must be an http or https address such as https://finops.example.com"
        },
        Setting(
            key: "alert_give_up_after", fallback: "24h", summary: "a failing alert is a dead letter after this long"
        ) {
            DurationText.seconds($0) == nil ? DurationText.expectation : nil
        },
        Setting(key: "silent_after", fallback: "26h", summary: "an account that brings nothing for longer is told of") {
            (DurationText.seconds($0) ?? 0) >= 1 ? nil : DurationText.expectation
        },
        Setting(key: "stalled_after", fallback: "10m", summary: "a stage that stands still for longer is told of") {
            (DurationText.seconds($0) ?? 0) >= 1 ? nil : DurationText.expectation
        },
        Setting(
            key: "reconcile_alert_above", fallback: "1%",
            summary: "a provider's day of which more is unexplained is told of"
        ) {
            PercentText.nanos($0) == nil ? "must be a percentage from 0% to 100% such as 1% or 0.5%" : nil
        },
        Setting(key: "cron_listen", fallback: "none", summary: "where an external scheduler may start the daily run") {
            $0 == "none" || LoopbackAddress($0) != nil ? nil : LoopbackAddress.expectation
        },
        Setting(key: "gateway_listen", fallback: "127.0.0.1:0", summary: "where the gateway takes calls (port 0: any)")
        {
            NumericAddress($0) == nil ? NumericAddress.expectation : nil
        },
        Setting(
            key: "gateway_tls_certificate", fallback: "none",
            summary: "PEM file with the gateway's certificate and chain",
            complaint: absolutePath),
        Setting(
            key: "gateway_tls_key", fallback: "none", summary: "PEM file with the key of that certificate",
            complaint: absolutePath),
        Setting(
            key: "gateway_upstream_ca", fallback: "none",
            summary: "PEM file of authorities that upstreams' certificates may come from besides the system's",
            complaint: absolutePath),
        Setting(key: "gateway_max_body", fallback: "32MiB", summary: "the largest request that the gateway takes") {
            ByteText.bytes($0).map { (1 << 10...1 << 30).contains($0) } == true
                ? nil : "must be a size from 1KiB to 1GiB such as 32MiB"
        },
        Setting(
            key: "gateway_spool_full", fallback: "fail-open",
            summary: "calls whose use cannot be kept: fail-open or fail-closed"
        ) {
            ["fail-open", "fail-closed"].contains($0) ? nil : "must be fail-open or fail-closed"
        },
        Setting(
            key: "gateway_log_grace", fallback: "1h", summary: "how long the gateway lets calls through without the log"
        ) {
            (DurationText.seconds($0) ?? 0) >= 1 ? nil : DurationText.expectation
        },
        Setting(
            key: "gateway_log_lost", fallback: "fail-closed",
            summary: "calls when the log is away for longer than gateway_log_grace: fail-closed or fail-open"
        ) {
            ["fail-open", "fail-closed"].contains($0) ? nil : "must be fail-open or fail-closed"
        },
        Setting(
            key: "gateway_upstream_timeout", fallback: "10m",
            summary: "how long an upstream may take to begin its answer; to go on it has half of that"
        ) {
            (DurationText.seconds($0) ?? 0) >= 2 ? nil : "\(DurationText.expectation), of 2s at least"
        },
        Setting(
            key: "gateway_unpriced_per_million", fallback: "100.00",
            summary: "what a million tokens of a model without a price count with, in USD"
        ) {
            NanoAmount.nanos($0) == nil ? "must be an amount in USD such as 100.00, of at most 9 decimals" : nil
        },
        Setting(
            key: "gateway_contact", fallback: "your FinOps team",
            summary: "whom the gateway tells refused callers to ask"
        ) {
            let isPlain = $0.unicodeScalars.allSatisfy { !$0.isHidden || $0.isJoiner }
            return (1...100).contains($0.count) && isPlain ? nil : "must be a text of 1 to 100 characters"
        },
        Setting(key: "list_style", fallback: "plain", summary: "lists in provider queries: plain or brackets") {
            ListStyle(rawValue: $0) == nil ? "must be plain or brackets" : nil
        },
        Setting(key: "log_level", fallback: "info", summary: "debug, info, notice, warning or error") {
            ["trace", "debug", "info", "notice", "warning", "error"].contains($0)
                ? nil : "must be debug, info, notice, warning or error"
        },
        Setting(key: "log_format", fallback: "logfmt", summary: "logfmt or json") {
            LogFormat(rawValue: $0) == nil ? "must be logfmt or json" : nil
        },
    ]
}

/// How lists are written in a provider's query: `group_by=a&group_by=b`, or with `[]` behind the name.
package enum ListStyle: String, Sendable { case plain, brackets }

/// How log lines are written.
package enum LogFormat: String, Sendable { case logfmt, json }

/// A time of day without a date: `09:00`.
package struct TimeOfDay: Hashable, Sendable, CustomStringConvertible {
    /// 0 to 23.
    package let hour: Int
    /// 0 to 59.
    package let minute: Int

    /// nil for anything but two digits, a colon and two digits within a day.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [2, 2], !text.contains("+"), let hour = Int(parts[0]),
            let minute = Int(parts[1]),
            (0...23).contains(hour), (0...59).contains(minute)
        else { return nil }
        self.hour = hour
        self.minute = minute
    }

    /// By the clock on the wall, whatever the zone does that day.
    package var secondsFromMidnight: Int { hour * 3_600 + minute * 60 }
    package var description: String { (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)" }
}

/// The address of the console, to which links of alerts lead.
enum ConsoleAddress {
    /// Scheme, host and perhaps a path; nothing that would have to be escaped, and no credential.
    static func isOne(_ text: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix), text.utf8.count <= 200 else {
            return false
        }
        let rest = text.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" }
        return !host.isEmpty && host.first != ":"
            && rest.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~/:[]".utf8.contains($0)
                }
            }
    }

    static func base(_ text: String) -> String {
        var text = text
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}

/// Spans as people write them: `90s`, `5m`, `24h`, `3d`.
package enum DurationText {
    static let expectation = "must be a span such as 90s, 5m, 24h or 3d"

    /// nil for what is no span, or longer than three years.
    package static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count >= 0,
            count <= 100_000_000 / unit
        else { return nil }
        return count * unit
    }
}

@Sendable private func absolutePath(_ text: String) -> String? {
    text == "none" || text.hasPrefix("/") ? nil : "must be none or an absolute path"
}

private func isCurrency(_ text: String) -> Bool {
    text.utf8.count == 3 && text.utf8.allSatisfy { (0x41...0x5A).contains($0) }
}
