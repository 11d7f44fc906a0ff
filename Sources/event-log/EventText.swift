import EventLog
import FinOps
import FoundationEssentials
import JSON
import Runtime
import SwiftProtobuf

/// An event as people and programs read it.
struct EventText {
    let event: RecordedEvent

    /// The payload as JSON (64-bit numbers are text); nil if this program does not know the type or cannot decode it.
    var data: String? {
        do {
            return try EventCatalogue.decode(event.event)?.message.jsonString()
        } catch { return nil }  // Shown as bytes, as an unknown type is.
    }

    var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("position", .integer(event.position.value)), .init("stream", .string(event.stream.text)),
            .init("version", .integer(event.version.value)), .init("type", .string(event.type.text)),
            .init("schema", .integer(event.event.schema)), .init("recorded", .string(event.recorded.rfc3339)),
            .init("occurred", .string(event.event.occurred.rfc3339)), .init("producer", .string(event.producer.text)),
            .init("producer_sequence", .integer(event.producerSequence)), .init("id", .string("\(event.event.id)")),
            .init("causation", JSONValue(event.event.causation.map { "\($0)" })),
            .init("correlation", JSONValue(event.event.correlation.map { "\($0)" })),
            .init("actor", .string(event.event.actor)),
        ]
        if let data, let value = try? JSONValue.parse(data) {  // SwiftProtobuf writes JSON, or nothing.
            members.append(.init("data", value))
        } else {
            members.append(.init("data_base64", .string(Data(event.payload).base64EncodedString())))
        }
        return .object(members)
    }

    static let columns: [Table.Column] = [
        .init("position", .right), .init("recorded"), .init("stream"), .init("version", .right), .init("type"),
        .init("data"),
    ]

    /// A row for people; the data is cut to what fits a line.
    func row(dataWidth: Int) -> [JSONValue] {
        let text = data ?? "\(event.payload.count) bytes"
        return [
            .integer(event.position.value), .string(event.recorded.rfc3339), .string(event.stream.text),
            .integer(event.version.value), .string(event.type.text),
            .string(text.count > dataWidth ? text.prefix(dataWidth - 1) + "…" : text),
        ]
    }
}
