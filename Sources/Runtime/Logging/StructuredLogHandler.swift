import EventLog
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
            ("time", wallTime().rfc3339), ("level", event.level.rawValue), ("msg", event.message.description),
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
            case _ where scalar.isHidden: quoted += "\\u{\(String(scalar.value, radix: 16))}"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Logger {
    /// The logger of a stage; the level's text has been checked by the configuration.
    package static func stage(_ stage: String, level: String, format: LogFormat) -> Logger {
        Logger(label: stage) { _ in
            StructuredLogHandler(level: Logger.Level(rawValue: level) ?? .info, format: format, stage: stage)
        }
    }
}
