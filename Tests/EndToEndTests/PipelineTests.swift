import EventLog
import FinOps
import Foundation
import Runtime
import Stages
import Testing

/// Every file in `Pipelines/` says only what can be: known keys, known events, one owner of a database, bound endpoints.
@Suite struct PipelineTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Pipelines")
    static let known = Set(EventCatalogue.knownTypes.map { "\($0)" })

    @Test func everyPipelineFileIsProved() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(files.sorted() == ["default.yaml", "demo.yaml"])
        for file in files {
            let topology = try Topology.load(Self.folder.appending(path: file).path, knownTypes: Self.known)
            #expect(topology.levels.flatMap { $0 }.count == topology.processes.count)
        }
    }

    /// What is not declared is not in the picture that `finops pipeline graph` draws, and a check of what nothing produces
    /// does not look for it.
    @Test(arguments: ["default.yaml", "demo.yaml"]) func aProgramConsumesWhatItReactsTo(_ file: String) throws {
        let topology = try Topology.load(Self.folder.appending(path: file).path, knownTypes: Self.known)
        let reactions: [String: Set<EventType>] = [
            "attributor": Attributor.types,
            "threshold-watcher": ThresholdWatcher.types.union(PolicyEnforcer.types),
            "notifier": Notifier.types,
            "gateway": GatewayState.types.union(["price.changed", "price.defaults-changed"]),
        ]
        for (name, types) in reactions {
            let process = try #require(topology.processes.first { $0.name == name })
            #expect(Set(process.consumes) == Set(types.map { "\($0)" }), "\(name)")
        }
    }

    @Test func onlyTheDemoHasAClockOfItsOwn() throws {
        #expect(try Topology.load(Self.folder.appending(path: "default.yaml").path).clock == nil)
        #expect(try Topology.load(Self.folder.appending(path: "demo.yaml").path).isDemo)
    }

    @Test func aNewDirectoryGetsTheDefaultPipeline() async throws {
        try await Installation.with { installation in
            try await installation.run("finops", "init").expecting()
            let written = try String(contentsOfFile: installation.directory + "/pipeline.yaml", encoding: .utf8)
            #expect(written == (try String(contentsOf: Self.folder.appending(path: "default.yaml"), encoding: .utf8)))
        }
    }
}
