import Digest
import EventLog
import FinOps
import FoundationEssentials
import JSON
import Runtime

/// A recorded event as a CloudEvents 1.0 JSON object. It holds all that makes the log: importing every one gives the same
/// log, hash for hash. 64-bit numbers are text, since an integer of CloudEvents has 32 bits.
enum CloudEvent {
    static let source = "/finops/event-log"
    static let typePrefix = "io.finops."

    /// - Parameter hash: of the event's row, 32 bytes.
    static func line(_ event: RecordedEvent, hash: [UInt8]) -> String {
        let text = EventText(event: event)
        let data = text.data
        var members: [JSONValue.Member] = [
            .init("specversion", "1.0"), .init("id", .string("\(event.event.id)")), .init("source", .string(source)),
            .init("type", .string(typePrefix + event.type.text + ".v\(event.event.schema)")),
            .init("subject", .string(event.stream.text)),
        ]
        if event.event.occurred.isCalendarTime { members.append(.init("time", .string(event.event.occurred.rfc3339))) }
        members += [
            .init("datacontenttype", .string(data == nil ? "application/protobuf" : "application/json")),
            .init("sequence", .string(padded(event.position.value))), .init("partitionkey", .string(event.stream.text)),
            .init("streamversion", .string("\(event.version)")),
            .init("recorded", .string("\(event.recorded.microseconds)")),
            .init("occurred", .string("\(event.event.occurred.microseconds)")),
            .init("producer", .string(event.producer.text)),
            .init("producersequence", .string("\(event.producerSequence)")),
        ]
        if let id = event.event.causation { members.append(.init("causationid", .string("\(id)"))) }
        if let id = event.event.correlation { members.append(.init("correlationid", .string("\(id)"))) }
        if !event.event.actor.isEmpty { members.append(.init("actor", .string(event.event.actor))) }
        members.append(.init("rowhash", .string(hexText(hash))))
        let payload = Data(event.payload).base64EncodedString()
        guard let data else {
            members.append(.init("data_base64", .string(payload)))
            return JSONValue.object(members).text
        }
        // JSON does not say which bytes it came from, and the hash covers the bytes.
        members.append(.init("payload", .string(payload)))
        return JSONValue.object(members).text.dropLast() + ",\"data\":" + data + "}"
    }

    /// So that text order is number order.
    private static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.count) + digits
    }

    /// Why a line is not an event of ours.
    struct Malformed: Error, CustomStringConvertible {
        let attribute: String
        var description: String { "\(attribute) is missing or malformed" }
    }

    /// Why a line is not to be believed: people read `data`, the log keeps the payload.
    struct Contradiction: Error, CustomStringConvertible {
        var description: String { "data does not say what the payload says" }
    }

    /// - Throws: `Malformed`, `Contradiction` or `JSONError`.
    static func read(_ line: some Collection<UInt8>) throws -> (event: RecordedEvent, hash: [UInt8]) {
        let object = try JSONValue.parse(line)
        func text(_ name: String) throws -> String {
            guard let text = object[name]?.string else { throw Malformed(attribute: name) }
            return text
        }
        func number<Value: FixedWidthInteger>(_ name: String) throws -> Value {
            guard let number = Value(try text(name)) else { throw Malformed(attribute: name) }
            return number
        }
        func id(_ name: String) throws -> EventID {
            guard let id = EventID(try text(name)) else { throw Malformed(attribute: name) }
            return id
        }
        guard try text("specversion") == "1.0" else { throw Malformed(attribute: "specversion") }
        let (type, schema) = try typeAndSchema(try text("type"))
        let payload = object["payload"] == nil ? try text("data_base64") : try text("payload")
        guard let payload = Data(base64Encoded: payload) else { throw Malformed(attribute: "payload") }
        guard let hash = bytes(hex: try text("rowhash")), hash.count == 32 else {
            throw Malformed(attribute: "rowhash")
        }
        let event = NewEvent(
            id: try id("id"), type: type, schema: schema, occurred: Timestamp(microseconds: try number("occurred")),
            causation: object["causationid"] == nil ? nil : try id("causationid"),
            correlation: object["correlationid"] == nil ? nil : try id("correlationid"),
            actor: object["actor"] == nil ? "" : try text("actor"), payload: Array(payload))
        let recorded = RecordedEvent(
            position: Position(try number("sequence")), stream: StreamName(try text("subject")),
            version: StreamVersion(try number("streamversion")),
            recorded: Timestamp(microseconds: try number("recorded")),
            producer: ProducerName(try text("producer")), producerSequence: try number("producersequence"), event: event
        )
        // An event of an unknown type has no data that could be compared.
        if let told = object["data"], let data = EventText(event: recorded).data, try JSONValue.parse(data) != told {
            throw Contradiction()
        }
        return (recorded, hash)
    }

    private static func typeAndSchema(_ text: String) throws -> (EventType, UInt16) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.hasPrefix(typePrefix), let last = parts.last, last.hasPrefix("v"),
            let schema = UInt16(last.dropFirst())
        else { throw Malformed(attribute: "type") }
        return (EventType(String(text.dropFirst(typePrefix.count).dropLast(last.count + 1))), schema)
    }

    private static func bytes(hex text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
    }
}
