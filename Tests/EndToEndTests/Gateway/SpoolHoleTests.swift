import EventLog
import FinOps
import Foundation
import Glibc
import Runtime
import Spool
import Storage
import TestSupport
import Testing

/// A spool of which somebody took a file.
@Suite(.serialized) struct SpoolHoleTests {
    @Test func aHoleIsLoggedMeasuredAndToldOnceAndOverWhenTheSpoolIsWhole() async throws {
        try await GatewayScene.with(upstreams: []) { scene in
            let directory = StateDirectory(path: scene.installation.directory)
            let folder = directory.gateway("gateway")
            for number in 1...3 { try await keep("call-\(number)", in: folder) }
            try FileManager.default.removeItem(atPath: folder + "/00000000000000000002.spool")

            let gateway = try await scene.gateway()
            let calls = try await scene.installation.recordedCalls(atLeast: 2)
            #expect(calls.map(\.call) == ["call-1", "call-3"])
            try await eventually("the condition is told") { try await told(directory).count == 1 }
            guard case .conditionRaised(let raised)? = try await told(directory).first else {
                throw Unexpected("it ended before it began")
            }
            #expect(raised.kind == "usage-lost" && raised.subject == "gateway")
            #expect(raised.detail == "1 records between the first and the last are not there")
            let metrics = try HealthClient.get("/metrics", socket: directory.healthSocket(stage: "gateway"))?.body
            #expect(metrics?.contains("\nfinops_spool_missing_records 1\n") == true, "\(metrics ?? "none")")
            #expect(gateway.program.standardErrorSoFar.contains("records of the spool are not there"))
            // The log has them a moment before the spool lets them go.
            try await eventually("what was delivered is deleted") {
                [1, 3].allSatisfy {
                    !FileManager.default.fileExists(atPath: "\(folder)/0000000000000000000\($0).spool")
                }
            }
            await scene.end(gateway.program)

            // What lay around the hole was delivered and deleted.
            let again = try await scene.gateway()
            try await eventually("the condition is over") { try await told(directory).count == 2 }
            guard case .conditionEnded(let ended)? = try await told(directory).last else {
                throw Unexpected("it was raised twice")
            }
            #expect(ended.subject == "gateway" && ended.since == raised.since)
            #expect(!again.program.standardErrorSoFar.contains("records of the spool are not there"))
            await scene.end(again.program)
        }
    }

    /// Opens the spool, so that the record begins a file, and closes it.
    private func keep(_ id: String, in folder: String) async throws {
        let spool = try Spool(folder)
        var call = Gatewayed.call(id, by: "gateway", project: "chatbot", started: wallTime(), nanos: 5)
        call.provider = "openai"
        let stream = StreamName("calls-\(call.account)-2026-11-22")
        try spool.append(FinOpsEvent.callRecorded(call).newEvent(in: stream, occurred: wallTime()), to: stream)
        await spool.close()
    }

    private func told(_ directory: StateDirectory) async throws -> [FinOpsEvent] {
        try await SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
            .readAll(stream: .conditions("usage-lost")).compactMap { try EventCatalogue.decode($0.event) }
    }
}
