import Synchronization

/// The figures of one program, in Prometheus' text format. Labels must have few values.
package final class MetricsRegistry: Sendable {
    /// As Prometheus knows them.
    package enum Kind: String, Sendable { case counter, gauge }

    private struct Family {
        var kind: Kind
        var help: String
        var samples: [String: Double] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    package init() {}

    /// Declares a metric; a declared one is shown as soon as it has a sample. Declaring it again changes nothing.
    /// - Parameter name: with the prefix `finops_`, base units in the plural, counters ending in `_total`.
    package func declare(_ name: String, _ kind: Kind, help: String) {
        families.withLock { families in
            if families[name] == nil { families[name] = Family(kind: kind, help: help) }
        }
    }

    /// Adds to a counter.
    package func add(_ amount: Double = 1, to name: String, labels: KeyValuePairs<String, String> = [:]) {
        update(name, labels) { $0 + amount }
    }

    /// Sets a gauge.
    package func set(_ name: String, _ value: Double, labels: KeyValuePairs<String, String> = [:]) {
        update(name, labels) { _ in value }
    }

    private func update(_ name: String, _ labels: KeyValuePairs<String, String>, _ change: (Double) -> Double) {
        families.withLock { families in
            precondition(families[name] != nil, "the metric \(name) is declared before it is used")
            let series = Self.series(labels)
            let value = change(families[name]?.samples[series] ?? 0)
            families[name]?.samples[series] = value
        }
    }

    /// The exposition, version 0.0.4.
    package var exposition: String {
        families.withLock { families in
            families.sorted { $0.key < $1.key }.filter { !$0.value.samples.isEmpty }.map { name, family in
                let help = family.help.map { $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : String($0) }.joined()
                let samples = family.samples.sorted { $0.key < $1.key }.map { "\(name)\($0.key) \(text($0.value))\n" }
                return "# HELP \(name) \(help)\n# TYPE \(name) \(family.kind.rawValue)\n" + samples.joined()
            }.joined()
        }
    }

    private static func series(_ labels: KeyValuePairs<String, String>) -> String {
        if labels.isEmpty { return "" }
        let parts = labels.map { name, value in
            let escaped = value.map { character in
                switch character {
                case "\\": "\\\\"
                case "\"": "\\\""
                case "\n", "\r\n": "\\n"
                default: String(character)
                }
            }
            return "\(name)=\"\(escaped.joined())\""
        }
        return "{\(parts.joined(separator: ","))}"
    }

    private func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }
}
