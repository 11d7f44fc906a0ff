package import EventLog
import Glibc
import JSON
package import Logging

/// One line per fact on stderr, as logfmt or JSON. Whatever a value holds, it stays on its line and inside its quotes.
package struct StructuredLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let format: LogFormat
    private let write: @Sendable (String) -> Void

    package init(
        level: Logger.Level, format: LogFormat, stage: String,
        write: @escaping @Sendable (String) -> Void = { Output.message($0) }
    ) {
        logLevel = level
        self.format = format
        self.write = write
        metadata["stage"] = .string(stage)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        var fields: [(String, String)] = [
            ("time", rfc3339(wallTime())), ("level", event.level.rawValue), ("msg", event.message.description),
        ]
        fields += all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        if let error = event.error { fields.append(("error", "\(error)")) }
        write(line(fields))
    }

    private func line(_ fields: [(String, String)]) -> String {
        switch format {
        case .json: JSONValue.object(fields.map { JSONValue.Member($0.0, .string($0.1)) }).text
        case .logfmt: fields.map { "\(key($0.0))=\(value($0.1))" }.joined(separator: " ")
        }
    }

    private func key(_ text: String) -> String {
        String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) ? $0 : "_" })
    }

    private func value(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"\"=\\".utf8.contains($0) }
        return isPlain && text.utf8.allSatisfy { $0 < 0x80 } ? text : quoted(text)
    }

    private func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator:
                    quoted += "\\u{\(String(scalar.value, radix: 16))}"
                default: quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }
}

/// `2026-11-20T00:00:00.123456Z`; the calendar of the wire formats, without a calendar library.
package func rfc3339(_ instant: Timestamp) -> String {
    var seconds = time_t(instant.seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    let day = [padded(Int(parts.tm_year) + 1_900, 4), padded(Int(parts.tm_mon) + 1, 2), padded(Int(parts.tm_mday), 2)]
    let time = [padded(Int(parts.tm_hour), 2), padded(Int(parts.tm_min), 2), padded(Int(parts.tm_sec), 2)]
    let fraction = Int(instant.microseconds - instant.seconds * 1_000_000)
    return "\(day.joined(separator: "-"))T\(time.joined(separator: ":")).\(padded(fraction, 6))Z"
}

extension Logger {
    /// The logger of a stage; the level's text has been checked by the configuration.
    package static func stage(_ stage: String, level: String, format: LogFormat) -> Logger {
        Logger(label: stage) { _ in
            StructuredLogHandler(level: Logger.Level(rawValue: level) ?? .info, format: format, stage: stage)
        }
    }
}
