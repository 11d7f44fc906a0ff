import EventLog
import FinOps
import Foundation
import SwiftProtobuf
import Testing

/// Every shape of event ever written decodes for ever. Files are recorded with `FINOPS_RECORD_GOLDEN=1`, only where there is
/// none: a normal run writes nothing, and no run rewrites one.
@Suite struct GoldenEventTests {
    private static let isRecording = ProcessInfo.processInfo.environment["FINOPS_RECORD_GOLDEN"] == "1"

    @Test(arguments: EventCatalogue.entries.map(\.type.text))
    func everyVersionOfEveryTypeHasAGoldenFileThatDecodes(_ type: String) throws {
        let entry = try #require(EventCatalogue.entries.first { $0.type.text == type })
        for schema in 1...entry.schema {
            if Self.isRecording { try record(type, schema) }
            let binary = try #require(
                try file(type, schema, "binpb"), "no golden file for \(type) schema \(schema): record it")
            let json = try #require(try file(type, schema, "json"))
            let recorded = NewEvent(
                id: .none, type: entry.type, schema: schema, occurred: .init(seconds: 0), payload: Array(binary))
            let decoded = try #require(try EventCatalogue.decode(recorded))
            #expect(decoded.type == entry.type)
            // Beside it in a form to read: both say the same, field by field.
            #expect(try text(decoded) == String(decoding: json, as: UTF8.self))
            if schema == entry.schema {
                #expect(decoded.newEvent(id: .none, occurred: .init(seconds: 0)).payload == Array(binary))
            }
        }
    }

    @Test func theGoldenFilesBelongToKnownTypes() throws {
        let folder = try #require(Bundle.module.url(forResource: "Golden/Events", withExtension: nil))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let known = EventCatalogue.entries.flatMap { entry in
            (1...entry.schema).flatMap { ["\(entry.type).\($0).binpb", "\(entry.type).\($0).json"] }
        }
        #expect(Set(names).subtracting(known) == [], "a type that was ever written stays in the catalogue")
    }

    private func text(_ event: FinOpsEvent) throws -> String { try event.message.jsonString() + "\n" }

    private func file(_ type: String, _ schema: UInt16, _ kind: String) throws -> Data? {
        if Self.isRecording { return try Data(contentsOf: source(type, schema, kind)) }
        let url = Bundle.module.url(forResource: "Golden/Events/\(type).\(schema)", withExtension: kind)
        return try url.map { try Data(contentsOf: $0) }
    }

    private func source(_ type: String, _ schema: UInt16, _ kind: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Golden/Events/\(type).\(schema).\(kind)")
    }

    private func record(_ type: String, _ schema: UInt16) throws {
        let binary = source(type, schema, "binpb")
        if FileManager.default.fileExists(atPath: binary.path) { return }
        let sample = try #require(EventSamples.all.first { $0.type.text == type }, "add a sample of \(type)")
        try FileManager.default.createDirectory(
            at: binary.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(sample.newEvent(id: .none, occurred: .init(seconds: 0)).payload).write(to: binary)
        try Data(text(sample).utf8).write(to: source(type, schema, "json"))
    }
}
