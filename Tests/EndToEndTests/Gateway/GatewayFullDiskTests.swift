import EventLog
import FinOps
import Foundation
import Glibc
import Runtime
import Spool
import Storage
import TestSupport
import Testing

/// What the gateway does while its disk takes nothing: as configured, and so that people hear of it.
@Suite(.serialized, .enabled(if: getuid() == 0, "mounting a file system takes root"))
struct GatewayFullDiskTests {
    /// A scene whose gateway has a disk of its own.
    private struct Disk: Sendable {
        let scene: GatewayScene
        let mount: PrivateMount
        let folder: String

        init(_ scene: GatewayScene, bytes: Int = 24 << 20) async throws {
            let folder = StateDirectory(path: scene.installation.directory).gateway("gateway")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            guard let mount = await PrivateMount.temporaryFileSystem(at: folder, bytes: bytes) else {
                try Test.cancel("this machine lets nobody mount")
            }
            (self.scene, self.mount, self.folder) = (scene, mount, folder)
        }

        func gateway() async throws -> SceneGateway {
            try await mount.running { [scene] in try scene.start("gateway", port: 0) }.serves()
        }

        func fill() async throws {
            try await mount.running { [folder] in
                let descriptor = open(folder + "/ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                guard descriptor >= 0 else { throw Unexpected("cannot write there") }
                defer { close(descriptor) }
                let page = [UInt8](repeating: 1, count: 4_096)
                while write(descriptor, page, page.count) == page.count {}
                guard errno == ENOSPC else { throw Unexpected("the disk is not full: \(errno)") }
            }
        }

        func makeRoom() async throws {
            try await mount.running { [folder] in try FileManager.default.removeItem(atPath: folder + "/ballast") }
        }

        /// What an earlier run has left under way.
        func left() async throws -> [UnderWayFile.Left] {
            try await mount.running { [folder] in try UnderWayFile(folder + "/under-way", now: 0).left }
        }
    }

    private static func with(
        _ provider: ProviderStandIn, _ configuration: String..., body: (GatewayScene) async throws -> Void
    ) async throws {
        try await GatewayScene.with(
            upstreams: [["openai", "--name", "main", "--base-url", provider.url]], configuration: configuration, body)
    }

    private static func provider() -> ProviderStandIn {
        ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 2)) }
    }

    /// The log is away, and others fill the disk up. Then the log comes back, and nobody makes room.
    @Test(arguments: ["fail-open", "fail-closed"])
    func aFullDiskIsToldOfAndOverWhenTheLogIsBack(_ policy: String) async throws {
        try await Self.with(Self.provider(), "gateway_spool_full: \(policy)") { scene in
            let key = try await scene.key().text
            let disk = try await Disk(scene)
            let gateway = try await disk.gateway()
            var delivered = [try await gateway.firstAnswer(key)]
            try await disk.fill()
            await scene.end(scene.log)
            var refused: HTTPAnswer?
            for _ in 0..<25 where refused == nil {
                let answer = try #require(await gateway.post(key: key))
                if answer.status == 200 { delivered.append(answer) } else { refused = answer }
            }
            if policy == "fail-closed" {
                #expect(refused?.status == 503 && refused?.body.contains("usage_not_recordable") == true)
                #expect(refused?.field("retry-after") == "5")
            } else {
                #expect(refused == nil, "\(String(describing: refused))")
            }
            try await eventually("it says what is wrong") { try gateway.readiness(scene).contains(policy) }

            let log = try await scene.installation.serveLog()
            defer { log.send(SIGKILL) }
            delivered.append(try await gateway.firstAnswer(key))
            try await eventually("it is ready again") { try !gateway.readiness(scene).contains(policy) }
            try await expectTold(scene, delivered, gateway)
            await scene.end(gateway.program)
            await scene.end(log)
        }
    }

    @Test(arguments: ["fail-open", "fail-closed"])
    func whereCallsCannotBeWrittenDownItIsToldOf(_ policy: String) async throws {
        try await Self.with(Self.provider(), "gateway_spool_full: \(policy)") { scene in
            let key = try await scene.key().text
            // The spool has room there, and what is under way has not.
            let gateway = try await Disk(scene, bytes: 8 << 20).gateway()
            try await eventually("it says so") {
                try gateway.readiness(scene).contains("calls under way cannot be written down")
            }
            let status = policy == "fail-open" ? 200 : 503
            try await eventually("a call is answered with \(status)") { await gateway.post(key: key)?.status == status }
            await scene.end(gateway.program)
        }
    }

    /// A run is killed, the next finds the disk full and is killed, too: what calls may cost is set aside by all of them.
    @Test func whatAKillCutShortIsRecordedOnceAndSetAsideThroughStartsOnAFullDisk() async throws {
        let provider = ProviderStandIn { _ in .nothing }
        try await Self.with(provider) { scene in
            try await scene.installation.run(
                "finops", "threshold", "set", "--project", "chatbot", "--daily", "9.00", "--policy", "block"
            ).expecting()
            let key = try await scene.key().text
            let disk = try await Disk(scene)
            let first = try await disk.gateway()
            let count = 40
            let request = SceneCall.post(key: key, SceneCall.chat)
            async let answers = ParallelCalls.run(
                (0..<count).map { _ in .init(ports: [first.port], request: request) }, attempts: 1)
            try await eventually("all are under way") { provider.requests.count == count }
            await scene.end(scene.log)
            try await disk.fill()
            try await kill(first)
            _ = await answers
            let bounds = try await disk.left().reduce(0) { $0 + $1.bound }

            for _ in 0..<2 {
                let gateway = try await disk.gateway()
                try await eventually("it says so") {
                    try gateway.readiness(scene).contains("what calls use cannot be kept")
                }
                try await kill(gateway)
                let left = try await disk.left()
                #expect(left.contains { $0.stage == .recording })
            }
            try await disk.makeRoom()
            let log = try await scene.installation.serveLog()
            defer { log.send(SIGKILL) }
            let last = try await disk.gateway()
            let calls = try await scene.installation.recordedCalls(atLeast: count)
            #expect(calls.count == count && Set(calls.map(\.call)).count == count)
            #expect(calls.allSatisfy { $0.ended == "gateway-killed" && $0.cost.nanos > 0 })
            try await kill(last)
            let left = try await disk.left()
            #expect(left.allSatisfy { $0.stage == .recorded })
            // To the nano-dollar, what is told and what is set aside are what the calls could cost.
            #expect(left.reduce(0) { $0 + $1.bound } + calls.reduce(0) { $0 + $1.cost.nanos } == bounds)
            await scene.end(log)
        }
    }

    private func kill(_ gateway: SceneGateway) async throws {
        gateway.program.send(SIGKILL)
        _ = await gateway.program.wait(limit: .seconds(20))
        #expect(gateway.program.hasEnded)
    }

    /// Every answer is one event, and the condition was raised and is over.
    private func expectTold(_ scene: GatewayScene, _ delivered: [HTTPAnswer], _ gateway: SceneGateway) async throws {
        let ids = delivered.compactMap { $0.field("x-request-id") }
        try await eventually("everything is in the log") {
            Set(try await scene.installation.recordedCalls().map(\.upstreamRequest)).isSuperset(of: ids)
        }
        let calls = try await scene.installation.recordedCalls().map(\.upstreamRequest)
        #expect(Set(calls).count == calls.count && Set(ids).count == ids.count && calls.count == ids.count)
        let log = SQLiteEventReader(
            files: LogFiles(database: StateDirectory(path: scene.installation.directory).logDatabase))
        var told: [FinOpsEvent] = []
        try await eventually("the condition is told, not \(told)") {
            told = try await log.readAll(stream: .conditions("usage-not-kept")).compactMap {
                try EventCatalogue.decode($0.event)
            }
            return told.count == 2
        }
        guard case .conditionRaised(let raised) = told[0], case .conditionEnded(let ended) = told[1] else {
            throw Unexpected("\(told)")
        }
        #expect(raised.subject == gateway.name && raised.detail.contains("No space left on device"))
        #expect(ended.subject == gateway.name && ended.since == raised.since && ended.detail == "nothing was lost")
    }
}
