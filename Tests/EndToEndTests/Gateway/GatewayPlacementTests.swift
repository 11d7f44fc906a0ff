import Foundation
import TestSupport
import Testing

/// Where the gateway's threads may run.
@Suite(.serialized) struct GatewayPlacementTests {
    private struct Thread {
        let number: String
        let name: String
        /// As the kernel writes them: `0-3,8`.
        let processors: String
    }

    @Test func everyEventLoopHasAProcessorOfItsOwnAndNothingElseIsBound() async throws {
        let provider = ProviderStandIn { .text(SceneCall.answer($0.number, input: 9, output: 2)) }
        // A name is looked up on a thread that an event loop starts.
        let url = provider.url.replacingOccurrences(of: "127.0.0.1", with: "localhost")
        try await GatewayScene.with(upstreams: [["openai", "--name", "main", "--base-url", url]]) { scene in
            let key = try await scene.key().text
            let gateway = try await scene.gateway()
            _ = try await gateway.firstAnswer(key)
            let main = "\(gateway.program.pid)"
            let all = try Self.threads(of: gateway.program.pid).first { $0.number == main }?.processors
            var (loops, others): ([Thread], [Thread]) = ([], [])
            try await eventually("other threads run everywhere, not \(others)") {
                let threads = try Self.threads(of: gateway.program.pid)
                loops = threads.filter { $0.name.hasPrefix("NIO-ELT") }
                others = threads.filter { !$0.name.hasPrefix("NIO-ELT") }
                return others.allSatisfy { $0.processors == all }
            }
            let processors = try #require(all.map(Self.numbers))
            // Where a container may use less than it sees, there are fewer loops, and they are left alone.
            let expected = loops.count == processors.count ? processors.map { "\($0)" } : loops.map { _ in all ?? "" }
            #expect(loops.map(\.processors).sorted() == expected.sorted() && others.count > 1)
            await scene.end(gateway.program)
        }
    }

    private static func threads(of process: Int32) throws -> [Thread] {
        let folder = "/proc/\(process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { number in
            // One that has ended meanwhile has no status.
            guard let status = try? String(contentsOfFile: "\(folder)/\(number)/status", encoding: .utf8) else {
                return nil
            }
            func field(_ name: String) -> String {
                let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
                return line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
            }
            return Thread(number: number, name: field("Name"), processors: field("Cpus_allowed_list"))
        }
    }

    private static func numbers(_ list: String) -> [Int] {
        list.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last else { return [] }
            return Array(first...last)
        }
    }
}
